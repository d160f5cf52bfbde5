/* The loops over weights of one width, included once for each: BITS is the unsigned type of a weight, WIDTH its bits,
   and NAME(verb) the name of a function. */

static void NAME(groups)(const BITS *bits, int64_t n, int32_t level, const int8_t *columns, const Table *table,
                         uint8_t *out) {
    if (columns)
        for (int64_t j = 0; j < n; j++)
            out[j] = group_of((bits[j] >> table->shift) & table->mask, level + columns[j], table);
    else
        for (int64_t j = 0; j < n; j++) out[j] = group_of((bits[j] >> table->shift) & table->mask, level, table);
}

static inline BITS NAME(zigzag)(BITS fresh, BITS base) {
    const BITS difference = (BITS)(fresh - base);
    return (BITS)((BITS)(difference << 1) ^ (BITS)(0 - (difference >> (WIDTH - 1))));
}

static inline BITS NAME(add)(BITS base, BITS zigzag) {
    return (BITS)(base + ((zigzag >> 1) ^ (BITS)(0 - (zigzag & 1))));
}

CLONES static void NAME(split)(const BITS *base, const BITS *fresh, int64_t n_rows, int64_t n_columns,
                               const int8_t *rows, const int8_t *columns, const Table *table, BITS *values,
                               uint8_t *group, int64_t *counts) {
    int64_t each[4][256] = {{0}}; /* four, so that equal neighbours do not wait for each other */
    const int64_t n = n_rows * n_columns;
    for (int64_t i = 0; i < n_rows; i++)
        NAME(groups)(base + i * n_columns, n_columns, table->first + (rows ? rows[i] : 0), columns, table,
                     group + i * n_columns);
    for (int64_t j = 0; j < n; j++) each[j & 3][group[j]]++;
    BITS *cursors[256];
    BITS *cursor = values;
    for (int g = 0; g < 256; g++) {
        counts[g] = each[0][g] + each[1][g] + each[2][g] + each[3][g];
        cursors[g] = cursor;
        cursor += counts[g];
    }
    for (int64_t j = 0; j < n; j++) *cursors[group[j]]++ = NAME(zigzag)(fresh[j], base[j]);
}

CLONES static void NAME(join)(BITS *target, int64_t n_rows, int64_t n_columns, const int8_t *rows,
                              const int8_t *columns, const Table *table, const BITS *values, int64_t *positions) {
    uint8_t group[BLOCK];
    const BITS *cursors[256];
    for (int g = 0; g < 256; g++) cursors[g] = values + positions[g];
    for (int64_t i = 0; i < n_rows; i++)
        for (int64_t start = 0; start < n_columns; start += BLOCK) {
            const int64_t n = n_columns - start < BLOCK ? n_columns - start : BLOCK;
            BITS *bits = target + i * n_columns + start;
            NAME(groups)(bits, n, table->first + (rows ? rows[i] : 0), columns ? columns + start : NULL, table, group);
            for (int64_t j = 0; j < n; j++) bits[j] = NAME(add)(bits[j], *cursors[group[j]]++);
        }
    for (int g = 0; g < 256; g++) positions[g] = cursors[g] - values;
}

/* Sum of each row's magnitudes in fixed point (grouping.py), and whether any of its weights differs. */
CLONES EXPORT void NAME(cogsym_rows)(const BITS *base, const BITS *fresh, int64_t n_rows, int64_t n_columns,
                                     int32_t shift, uint32_t mask, int32_t low, int32_t window, uint32_t largest,
                                     int64_t *sums, uint8_t *changed) {
    for (int64_t i = 0; i < n_rows; i++) {
        const BITS *old = base + i * n_columns, *new = fresh + i * n_columns;
        int64_t sum = 0;
        BITS differs = 0;
        for (int64_t j = 0; j < n_columns; j++) {
            const BITS difference = (BITS)(new[j] - old[j]);
            differs |= difference;
            uint32_t size = difference >> (WIDTH - 1) ? (BITS)(0 - difference) : difference;
            size = size < largest ? size : largest;
            int32_t up = (int32_t)((old[j] >> shift) & mask) - low;
            up = up < 0 ? 0 : up;
            up = up < window ? up : window;
            sum += (int64_t)((uint64_t)size << up);
        }
        sums[i] = sum;
        changed[i] = differs != 0;
    }
}
