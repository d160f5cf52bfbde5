/* The hottest loops for 16-bit weights with AVX-512 VBMI2 (Ice Lake, Zen 4 and later). split and join take the weights of
   one group out of, or put them into, 32 neighbours at a time; predict keeps the sums of two rows in registers. The
   results are those of the portable loops. */

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vbmi2,popcnt")))

static int has_avx512(void) {
    return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vbmi") &&
           __builtin_cpu_supports("avx512vbmi2");
}

/* Whether contexts and groups fit into the registers used here; every delta that this toolkit writes does. */
static int fits_avx512(const Table *table) {
    return table->n_contexts <= 256 && table->first > -4096 && table->first < 4096 && table->n_groups <= 64;
}

typedef struct {
    __m512i groups[4]; /* group of context 0..255 */
    __m512i mask, last;
    __m128i shift;
} Lookup;

AVX512 static inline Lookup lookup_of(const Table *table) {
    uint8_t groups[256];
    for (int c = 0; c < 256; c++) groups[c] = table->groups[c < table->n_contexts ? c : table->n_contexts - 1];
    Lookup lookup;
    for (int k = 0; k < 4; k++) lookup.groups[k] = _mm512_loadu_si512(groups + 64 * k);
    lookup.mask = _mm512_set1_epi16((short)table->mask);
    lookup.last = _mm512_set1_epi16((short)(table->n_contexts - 1));
    lookup.shift = _mm_cvtsi32_si128(table->shift);
    return lookup;
}

/* Contexts of 32 weights, clamped to the table, as bytes. */
AVX512 static inline __m256i contexts_of(__m512i bits, __m512i level, const int8_t *columns, const Lookup *lookup) {
    __m512i context = _mm512_and_si512(_mm512_srl_epi16(bits, lookup->shift), lookup->mask);
    context = _mm512_sub_epi16(_mm512_add_epi16(context, context), level);
    if (columns)
        context = _mm512_sub_epi16(context, _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)columns)));
    context = _mm512_min_epi16(_mm512_max_epi16(context, _mm512_setzero_si512()), lookup->last);
    return _mm512_cvtepi16_epi8(context);
}

/* Groups of 64 weights. */
AVX512 static inline __m512i groups_of_64(const uint16_t *bits, __m512i level, const int8_t *columns,
                                          const Lookup *lookup) {
    const __m256i low = contexts_of(_mm512_loadu_si512(bits), level, columns, lookup);
    const __m256i high = contexts_of(_mm512_loadu_si512(bits + 32), level, columns ? columns + 32 : NULL, lookup);
    const __m512i context = _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
    const __m512i near = _mm512_permutex2var_epi8(lookup->groups[0], context, lookup->groups[1]);
    const __m512i far = _mm512_permutex2var_epi8(lookup->groups[2], context, lookup->groups[3]);
    return _mm512_mask_blend_epi8(_mm512_movepi8_mask(context), near, far);
}

AVX512 static inline __m512i zigzag_512(const uint16_t *fresh, const uint16_t *base) {
    const __m512i difference = _mm512_sub_epi16(_mm512_loadu_si512(fresh), _mm512_loadu_si512(base));
    return _mm512_xor_si512(_mm512_slli_epi16(difference, 1), _mm512_srai_epi16(difference, 15));
}

AVX512 static inline void add_512(uint16_t *bits, __m512i zigzag) {
    const __m512i sign = _mm512_sub_epi16(_mm512_setzero_si512(), _mm512_and_si512(zigzag, _mm512_set1_epi16(1)));
    const __m512i difference = _mm512_xor_si512(_mm512_srli_epi16(zigzag, 1), sign);
    _mm512_storeu_si512(bits, _mm512_add_epi16(_mm512_loadu_si512(bits), difference));
}

AVX512 static void split_avx512(const uint16_t *base, const uint16_t *fresh, int64_t n_rows, int64_t n_columns,
                                const int8_t *rows, const int8_t *columns, const Table *table, uint16_t *values,
                                uint8_t *group, int64_t *counts) {
    const Lookup lookup = lookup_of(table);
    const int n_groups = table->n_groups;
    const int64_t n = n_rows * n_columns, whole = n & ~(int64_t)63;
    for (int64_t i = 0; i < n_rows; i++) {
        const uint16_t *old = base + i * n_columns;
        uint8_t *out = group + i * n_columns;
        const int32_t row = table->first + (rows ? rows[i] : 0);
        const __m512i level = _mm512_set1_epi16((short)row);
        int64_t j = 0;
        for (; j + 64 <= n_columns; j += 64)
            _mm512_storeu_si512(out + j, groups_of_64(old + j, level, columns ? columns + j : NULL, &lookup));
        groups_u16(old + j, n_columns - j, row, columns ? columns + j : NULL, table, out + j);
    }
    for (int g = 0; g < 256; g++) counts[g] = 0;
    for (int64_t j = 0; j < whole; j += 64) {
        const __m512i groups = _mm512_loadu_si512(group + j);
        for (int g = 0; g < n_groups; g++)
            counts[g] += _mm_popcnt_u64(_mm512_cmpeq_epi8_mask(groups, _mm512_set1_epi8((char)g)));
    }
    for (int64_t j = whole; j < n; j++) counts[group[j]]++;
    uint16_t *cursors[64], *ends[64];
    for (int g = 0; g < n_groups; g++) {
        cursors[g] = g ? ends[g - 1] : values;
        ends[g] = cursors[g] + counts[g];
    }
    for (int64_t j = 0; j < whole; j += 64) {
        const __m512i groups = _mm512_loadu_si512(group + j);
        const __m512i halves[2] = {zigzag_512(fresh + j, base + j), zigzag_512(fresh + j + 32, base + j + 32)};
        for (int g = 0; g < n_groups; g++) {
            uint64_t marks = _mm512_cmpeq_epi8_mask(groups, _mm512_set1_epi8((char)g));
            for (int h = 0; h < 2; h++, marks >>= 32) {
                const __m512i packed = _mm512_maskz_compress_epi16((__mmask32)marks, halves[h]);
                const int count = (int)_mm_popcnt_u32((uint32_t)marks);
                if (ends[g] - cursors[g] >= 32) /* what is stored too much is overwritten by what follows */
                    _mm512_storeu_si512(cursors[g], packed);
                else
                    _mm512_mask_storeu_epi16(cursors[g], (__mmask32)((1ULL << count) - 1), packed);
                cursors[g] += count;
            }
        }
    }
    for (int64_t j = whole; j < n; j++) *cursors[group[j]]++ = zigzag_u16(fresh[j], base[j]);
}

AVX512 static void join_avx512(uint16_t *target, int64_t n_rows, int64_t n_columns, const int8_t *rows,
                               const int8_t *columns, const Table *table, const uint16_t *values, int64_t *positions) {
    const Lookup lookup = lookup_of(table);
    const int n_groups = table->n_groups;
    const uint16_t *cursors[64];
    for (int g = 0; g < n_groups; g++) cursors[g] = values + positions[g];
    for (int64_t i = 0; i < n_rows; i++) {
        uint16_t *bits = target + i * n_columns;
        const int32_t row = table->first + (rows ? rows[i] : 0);
        const __m512i level = _mm512_set1_epi16((short)row);
        int64_t j = 0;
        for (; j + 64 <= n_columns; j += 64) {
            const __m512i groups = groups_of_64(bits + j, level, columns ? columns + j : NULL, &lookup);
            __m512i low = _mm512_setzero_si512(), high = _mm512_setzero_si512();
            for (int g = 0; g < n_groups; g++) {
                const uint64_t marks = _mm512_cmpeq_epi8_mask(groups, _mm512_set1_epi8((char)g));
                const __mmask32 first = (__mmask32)marks, second = (__mmask32)(marks >> 32);
                const uint16_t *cursor = cursors[g];
                low = _mm512_or_si512(low, _mm512_maskz_expand_epi16(first, _mm512_loadu_si512(cursor)));
                cursor += _mm_popcnt_u32(first);
                high = _mm512_or_si512(high, _mm512_maskz_expand_epi16(second, _mm512_loadu_si512(cursor)));
                cursors[g] = cursor + _mm_popcnt_u32(second);
            }
            add_512(bits + j, low);
            add_512(bits + j + 32, high);
        }
        for (; j < n_columns; j++) {
            const uint32_t exponent = (bits[j] >> table->shift) & table->mask;
            const uint8_t g = group_of(exponent, row + (columns ? columns[j] : 0), table);
            bits[j] = add_u16(bits[j], *cursors[g]++);
        }
    }
    for (int g = 0; g < n_groups; g++) positions[g] = cursors[g] - values;
}

AVX512 static inline void predict_16(uint16_t *target, __mmask16 lanes, __m512 sums, __m512 scale) {
    const __m512i old = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(lanes, target));
    const __m512 value = _mm512_fmadd_ps(sums, scale, _mm512_castsi512_ps(_mm512_slli_epi32(old, 16)));
    __m512i bits = _mm512_castps_si512(value);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    bits = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF)));
    const __m512i exponent = _mm512_and_si512(_mm512_srli_epi32(old, 7), _mm512_set1_epi32(0xFF));
    const __m512i above = _mm512_sub_epi32(exponent, _mm512_set1_epi32(32));
    lanes &= _mm512_cmplt_epu32_mask(above, _mm512_set1_epi32(255 - 32));
    _mm256_mask_storeu_epi16(target, lanes, _mm512_cvtepi32_epi16(_mm512_srli_epi32(bits, 16)));
}

AVX512 static void predict_avx512(uint16_t *target, int64_t n_rows, int64_t n_columns, int32_t rank,
                                  const float *left, const float *right, const float *scales) {
    float strip[MAX_RANK * PREDICTED];
    for (int64_t start = 0; start < n_columns; start += PREDICTED) {
        const int64_t n = n_columns - start < PREDICTED ? n_columns - start : PREDICTED;
        const uint64_t lanes = n == PREDICTED ? ~0ULL : (1ULL << n) - 1;
        cut_strip(right, n_columns, start, rank, strip);
        for (int64_t i = 0; i < n_rows; i += 2) {
            const int64_t next = i + 1 < n_rows ? i + 1 : i;
            __m512 sums[2][4];
            for (int v = 0; v < 4; v++) sums[0][v] = sums[1][v] = _mm512_setzero_ps();
            for (int32_t k = 0; k < rank; k++) {
                const __m512 one = _mm512_set1_ps(left[i * rank + k]), two = _mm512_set1_ps(left[next * rank + k]);
#pragma GCC unroll 4
                for (int v = 0; v < 4; v++) {
                    const __m512 columns = _mm512_loadu_ps(strip + k * PREDICTED + 16 * v);
                    sums[0][v] = _mm512_fmadd_ps(one, columns, sums[0][v]);
                    sums[1][v] = _mm512_fmadd_ps(two, columns, sums[1][v]);
                }
            }
            for (int64_t row = i; row <= next; row++)
#pragma GCC unroll 4
                for (int v = 0; v < 4; v++)
                    predict_16(target + row * n_columns + start + 16 * v, (__mmask16)(lanes >> (16 * v)),
                               sums[row - i][v], _mm512_set1_ps(scales[row]));
        }
    }
}

AVX512 static inline __m512d bf16_values(const uint16_t *bits) {
    const __m256i wide = _mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)bits)), 16);
    return _mm512_cvtps_pd(_mm256_castsi256_ps(wide));
}

/* Which of 64 pairs of weights are both finite. */
AVX512 static inline uint64_t finite_64(const uint16_t *old, const uint16_t *new) {
    const __m512i exponent = _mm512_set1_epi16(0x7F80);
    uint64_t marks = 0;
    for (int h = 1; h >= 0; h--) {
        const __m512i a = _mm512_and_si512(_mm512_loadu_si512(old + 32 * h), exponent);
        const __m512i b = _mm512_and_si512(_mm512_loadu_si512(new + 32 * h), exponent);
        marks = marks << 32 | (_mm512_cmpneq_epi16_mask(a, exponent) & _mm512_cmpneq_epi16_mask(b, exponent));
    }
    return marks;
}

AVX512 static inline uint64_t differing_64(const uint16_t *old, const uint16_t *new) {
    const uint64_t low = _mm512_cmpneq_epi16_mask(_mm512_loadu_si512(old), _mm512_loadu_si512(new));
    const uint64_t high = _mm512_cmpneq_epi16_mask(_mm512_loadu_si512(old + 32), _mm512_loadu_si512(new + 32));
    return low | high << 32;
}

AVX512 static int64_t compare_avx512(const uint16_t *base, const uint16_t *fresh, int64_t n_rows, int64_t n_columns,
                                     uint8_t *changed_rows, uint8_t *changed_columns, double *squares) {
    int64_t total = 0;
    __m512d sums[LANES / 8];
    for (int v = 0; v < LANES / 8; v++) sums[v] = _mm512_loadu_pd(squares + 8 * v);
    for (int64_t i = 0; i < n_rows; i++) {
        int64_t count = 0;
        for (int64_t j = 0; j < n_columns; j += LANES) {
            uint16_t ends[2][LANES] = {{0}}; /* the last weights of a row, and zeros */
            const uint16_t *old = base + i * n_columns + j, *new = fresh + i * n_columns + j;
            const int64_t n = n_columns - j < LANES ? n_columns - j : LANES;
            if (n < LANES) {
                memcpy(ends[0], old, 2 * (size_t)n);
                memcpy(ends[1], new, 2 * (size_t)n);
                old = ends[0], new = ends[1];
            }
            const uint64_t differs = differing_64(old, new);
            if (!differs) continue;
            const uint64_t lanes = n < LANES ? (1ULL << n) - 1 : ~0ULL, finite = finite_64(old, new);
            const __m512i marks = _mm512_maskz_set1_epi8(differs, 1);
            const __m512i before = _mm512_maskz_loadu_epi8(lanes, changed_columns + j);
            _mm512_mask_storeu_epi8(changed_columns + j, lanes, _mm512_or_si512(before, marks));
            count += _mm_popcnt_u64(differs);
#pragma GCC unroll 8
            for (int v = 0; v < LANES / 8; v++) {
                const __m512d change = _mm512_sub_pd(bf16_values(new + 8 * v), bf16_values(old + 8 * v));
                const __mmask8 counted = (__mmask8)(finite >> (8 * v));
                sums[v] = _mm512_mask_add_pd(sums[v], counted, sums[v], _mm512_mul_pd(change, change));
            }
        }
        changed_rows[i] = count != 0;
        total += count;
    }
    for (int v = 0; v < LANES / 8; v++) _mm512_storeu_pd(squares + 8 * v, sums[v]);
    return total;
}

AVX512 static void scaled_change_avx512(const uint16_t *base, const uint16_t *fresh, int64_t n_rows, int64_t n_columns,
                                        double *change, int64_t *exponents) {
    const __m512d largest = _mm512_set1_pd(32767), smallest = _mm512_set1_pd(-32767);
    const int64_t whole = n_columns & ~(int64_t)63;
    for (int64_t i = 0; i < n_rows; i++) {
        const uint16_t *old = base + i * n_columns, *new = fresh + i * n_columns;
        double *out = change + i * n_columns;
        __m512d sizes = _mm512_setzero_pd();
        for (int64_t j = 0; j < whole; j += 64) {
            const uint64_t finite = finite_64(old + j, new + j);
#pragma GCC unroll 8
            for (int v = 0; v < 8; v++) {
                const __m512d before = bf16_values(old + j + 8 * v), after = bf16_values(new + j + 8 * v);
                const __m512d difference = _mm512_maskz_sub_pd((__mmask8)(finite >> (8 * v)), after, before);
                sizes = _mm512_max_pd(sizes, _mm512_abs_pd(difference));
                _mm512_storeu_pd(out + j + 8 * v, difference);
            }
        }
        double size = _mm512_reduce_max_pd(sizes);
        for (int64_t j = whole; j < n_columns; j++) {
            out[j] = bf16_change(old[j], new[j]);
            size = out[j] > size ? out[j] : -out[j] > size ? -out[j] : size;
        }
        exponents[i] = exponent_of(size) - 15;
        const double scale = power_of_two(-exponents[i]);
        for (int64_t j = 0; j < whole; j += 8) {
            const __m512d scaled = _mm512_mul_pd(_mm512_loadu_pd(out + j), _mm512_set1_pd(scale));
            const __m512d rounded = _mm512_roundscale_pd(scaled, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
            _mm512_storeu_pd(out + j, _mm512_max_pd(_mm512_min_pd(rounded, largest), smallest));
        }
        for (int64_t j = whole; j < n_columns; j++) out[j] = whole_of(out[j] * scale);
    }
}
