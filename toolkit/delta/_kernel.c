/* The hot loops of the delta codec, compiled; kernel_numpy.py does exactly the same.

   Plain C without Python's headers: it is loaded through ctypes, which also releases the interpreter lock. No function
   keeps state, allocates, or touches memory beyond what its arguments describe. */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h> /* defines __GLIBC__ */
#include <string.h>

#ifdef _WIN32
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

#if defined(__x86_64__) && defined(__GNUC__)
#define HAS_PCLMUL 1
#include <immintrin.h>
#endif

/* The best version for the processor is picked when the library is loaded; the results are the same. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__GLIBC__)
#define CLONES __attribute__((target_clones("avx2", "default")))
#define CLONES_WIDE __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define CLONES
#define CLONES_WIDE
#endif

#define PREDICTED 64 /* columns whose sums are kept in registers */
#define BLOCK 4096 /* weights whose groups are worked out at a time */

EXPORT int32_t cogsym_kernel_version(void) { return 2; }

/* setuptools makes extension modules, so this one has an entry; nobody imports it as a module. */
EXPORT void *PyInit__kernel(void) { return NULL; }

static inline uint8_t group_of(uint32_t exponent, int32_t level, const uint8_t *groups, int32_t n_contexts) {
    int32_t context = 2 * (int32_t)exponent - level;
    context = context < 0 ? 0 : context;
    context = context < n_contexts ? context : n_contexts - 1;
    return groups[context];
}

/* For each width of a weight: the group of each weight of a row, differences into groups, and groups onto the base.

   split: `group` is scratch, one byte per weight; `positions` (256) returns how many weights each group has.
   join: `positions` (256) holds where in `values` each group starts, and returns where it ended. The caller provides
   room after the last group for as many values as there are weights, so no stream, however wrong, leads outside. */
#define DEFINE_KERNEL(NAME, BITS, WIDTH)                                                                               \
    static void groups_of_row_##NAME(const BITS *bits, int64_t n, int32_t shift, uint32_t mask, int32_t level,         \
                                     const int8_t *columns, const uint8_t *groups, int32_t n_contexts, uint8_t *out) { \
        if (columns)                                                                                                   \
            for (int64_t j = 0; j < n; j++)                                                                            \
                out[j] = group_of((bits[j] >> shift) & mask, level + columns[j], groups, n_contexts);                  \
        else                                                                                                           \
            for (int64_t j = 0; j < n; j++)                                                                            \
                out[j] = group_of((bits[j] >> shift) & mask, level, groups, n_contexts);                               \
    }                                                                                                                  \
    CLONES EXPORT void cogsym_split_##NAME(const BITS *base, const BITS *fresh, int64_t n_rows, int64_t n_columns,            \
                                    const int8_t *rows, const int8_t *columns, int32_t first, const uint8_t *groups,   \
                                    int32_t n_contexts, int32_t shift, uint32_t mask, BITS *values, uint8_t *group,    \
                                    int64_t *positions) {                                                              \
        int64_t counts[4][256] = {{0}}; /* four, so that equal neighbours do not wait for each other */                \
        const int64_t n = n_rows * n_columns;                                                                          \
        for (int64_t i = 0; i < n_rows; i++)                                                                           \
            groups_of_row_##NAME(base + i * n_columns, n_columns, shift, mask, first + (rows ? rows[i] : 0), columns,  \
                                 groups, n_contexts, group + i * n_columns);                                           \
        for (int64_t j = 0; j < n; j++) counts[j & 3][group[j]]++;                                                     \
        BITS *cursor[256];                                                                                             \
        int64_t start = 0;                                                                                             \
        for (int g = 0; g < 256; g++) {                                                                                \
            positions[g] = counts[0][g] + counts[1][g] + counts[2][g] + counts[3][g];                                  \
            cursor[g] = values + start;                                                                                \
            start += positions[g];                                                                                     \
        }                                                                                                              \
        for (int64_t j = 0; j < n; j++) {                                                                              \
            const BITS difference = (BITS)(fresh[j] - base[j]);                                                        \
            *cursor[group[j]]++ = (BITS)((BITS)(difference << 1) ^ (BITS)(0 - (difference >> (WIDTH - 1))));           \
        }                                                                                                              \
    }                                                                                                                  \
    CLONES EXPORT void cogsym_join_##NAME(BITS *target, int64_t n_rows, int64_t n_columns, const int8_t *rows,                \
                                   const int8_t *columns, int32_t first, const uint8_t *groups, int32_t n_contexts,    \
                                   int32_t shift, uint32_t mask, const BITS *values, int64_t *positions) {             \
        uint8_t group[BLOCK];                                                                                          \
        const BITS *cursor[256];                                                                                       \
        for (int g = 0; g < 256; g++) cursor[g] = values + positions[g];                                               \
        for (int64_t i = 0; i < n_rows; i++) {                                                                         \
            for (int64_t start = 0; start < n_columns; start += BLOCK) {                                               \
                const int64_t n = n_columns - start < BLOCK ? n_columns - start : BLOCK;                               \
                BITS *bits = target + i * n_columns + start;                                                           \
                groups_of_row_##NAME(bits, n, shift, mask, first + (rows ? rows[i] : 0),                               \
                                     columns ? columns + start : NULL, groups, n_contexts, group);                     \
                for (int64_t j = 0; j < n; j++) {                                                                      \
                    const BITS zigzag = *cursor[group[j]]++;                                                           \
                    bits[j] = (BITS)(bits[j] + ((zigzag >> 1) ^ (BITS)(0 - (zigzag & 1))));                            \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
        for (int g = 0; g < 256; g++) positions[g] = cursor[g] - values;                                               \
    }                                                                                                                  \
    /* Sum of each row's magnitudes in fixed point (grouping.py), and whether any of its weights differs. */           \
    CLONES EXPORT void cogsym_rows_##NAME(const BITS *base, const BITS *fresh, int64_t n_rows, int64_t n_columns,             \
                                   int32_t shift, uint32_t mask, int32_t low, int32_t window, uint32_t largest,        \
                                   int64_t *sums, uint8_t *changed) {                                                  \
        for (int64_t i = 0; i < n_rows; i++) {                                                                         \
            const BITS *old = base + i * n_columns, *new = fresh + i * n_columns;                                      \
            int64_t sum = 0;                                                                                           \
            BITS differs = 0;                                                                                          \
            for (int64_t j = 0; j < n_columns; j++) {                                                                  \
                const BITS difference = (BITS)(new[j] - old[j]);                                                       \
                differs |= difference;                                                                                 \
                uint32_t size = difference >> (WIDTH - 1) ? (BITS)(0 - difference) : difference;                       \
                size = size < largest ? size : largest;                                                                \
                int32_t up = (int32_t)((old[j] >> shift) & mask) - low;                                                \
                up = up < 0 ? 0 : up;                                                                                  \
                up = up < window ? up : window;                                                                        \
                sum += (int64_t)((uint64_t)size << up);                                                                \
            }                                                                                                          \
            sums[i] = sum;                                                                                             \
            changed[i] = differs != 0;                                                                                 \
        }                                                                                                              \
    }

DEFINE_KERNEL(u16, uint16_t, 16)
DEFINE_KERNEL(u32, uint32_t, 32)

static inline double bf16_value(uint16_t bits) {
    const uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, 4);
    return (double)value;
}

static inline int bf16_finite(uint16_t bits) { return (bits & 0x7F80) != 0x7F80; }

/* predicted = base + (left @ right) * scale, rounded to bfloat16 with ties to even. All sums are of whole numbers below
   2^24 and the scales are powers of two, so only the last addition rounds: the order of summation does not matter. */
CLONES_WIDE EXPORT void cogsym_predict_bf16(const uint16_t *base, int64_t n_rows, int64_t n_columns, int32_t rank,
                                            const float *left, const float *right, const float *scales,
                                            uint16_t *predicted) {
    for (int64_t start = 0; start < n_columns; start += PREDICTED) {
        const int64_t n = n_columns - start < PREDICTED ? n_columns - start : PREDICTED;
        for (int64_t i = 0; i < n_rows; i++) {
            float sums[PREDICTED] = {0};
            const float *factor = left + i * rank;
            if (n == PREDICTED)
                for (int32_t k = 0; k < rank; k++)
                    for (int64_t j = 0; j < PREDICTED; j++) sums[j] += factor[k] * right[k * n_columns + start + j];
            else
                for (int32_t k = 0; k < rank; k++)
                    for (int64_t j = 0; j < n; j++) sums[j] += factor[k] * right[k * n_columns + start + j];
            const uint16_t *old = base + i * n_columns + start;
            uint16_t *out = predicted + i * n_columns + start;
            for (int64_t j = 0; j < n; j++) {
                const uint32_t wide = (uint32_t)old[j] << 16;
                float value;
                memcpy(&value, &wide, 4);
                value += sums[j] * scales[i];
                uint32_t bits;
                memcpy(&bits, &value, 4);
                bits += ((bits >> 16) & 1) + 0x7FFF;
                const uint32_t exponent = (old[j] >> 7) & 0xFF;
                out[j] = exponent >= 32 && exponent < 255 ? (uint16_t)(bits >> 16) : old[j];
            }
        }
    }
}

/* What differs between two bfloat16 matrices. `changed_columns` and `squares` (n_columns) are added to; `changed_rows`
   (n_rows) is written. Returns how many weights differ. The order of summation is part of the result. */
CLONES EXPORT int64_t cogsym_compare_bf16(const uint16_t *base, const uint16_t *fresh, int64_t n_rows,
                                          int64_t n_columns, uint8_t *changed_rows, uint8_t *changed_columns,
                                          double *squares) {
    int64_t total = 0;
    for (int64_t i = 0; i < n_rows; i++) {
        const uint16_t *old = base + i * n_columns, *new = fresh + i * n_columns;
        changed_rows[i] = memcmp(old, new, 2 * (size_t)n_columns) != 0;
        if (!changed_rows[i]) continue;
        int64_t count = 0;
        for (int64_t j = 0; j < n_columns; j++) {
            const uint8_t differs = old[j] != new[j];
            changed_columns[j] |= differs;
            count += differs;
        }
        for (int64_t j = 0; j < n_columns; j++) {
            const double difference = bf16_value(new[j]) - bf16_value(old[j]);
            squares[j] += bf16_finite(old[j]) & bf16_finite(new[j]) ? difference * difference : 0.0;
        }
        total += count;
    }
    return total;
}

#ifdef HAS_PCLMUL
EXPORT int32_t cogsym_has_crc32(void) { return __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1"); }

#define FOLD(x, k) _mm_xor_si128(_mm_clmulepi64_si128(x, k, 0x00), _mm_clmulepi64_si128(x, k, 0x11))

/* CRC-32 as in zlib, by carry-less multiplication (Gopal et al., "Fast CRC computation for generic polynomials using
   PCLMULQDQ", Intel 2009). `length` must be a multiple of 16 and at least 64; `crc` is inverted by the caller. */
__attribute__((target("pclmul,sse4.1"))) EXPORT uint32_t cogsym_crc32(uint32_t crc, const uint8_t *data,
                                                                       int64_t length) {
    const __m128i by_64 = _mm_set_epi64x(0x01c6e41596, 0x0154442bd4);
    const __m128i by_16 = _mm_set_epi64x(0x00ccaa009e, 0x01751997d0);
    const __m128i *block = (const __m128i *)data;
    __m128i a = _mm_xor_si128(_mm_loadu_si128(block), _mm_cvtsi32_si128((int)crc));
    __m128i b = _mm_loadu_si128(block + 1), c = _mm_loadu_si128(block + 2), d = _mm_loadu_si128(block + 3);
    block += 4;
    length -= 64;
    for (; length >= 64; length -= 64, block += 4) {
        a = _mm_xor_si128(FOLD(a, by_64), _mm_loadu_si128(block));
        b = _mm_xor_si128(FOLD(b, by_64), _mm_loadu_si128(block + 1));
        c = _mm_xor_si128(FOLD(c, by_64), _mm_loadu_si128(block + 2));
        d = _mm_xor_si128(FOLD(d, by_64), _mm_loadu_si128(block + 3));
    }
    a = _mm_xor_si128(FOLD(a, by_16), b);
    a = _mm_xor_si128(FOLD(a, by_16), c);
    a = _mm_xor_si128(FOLD(a, by_16), d);
    for (; length >= 16; length -= 16, block++) a = _mm_xor_si128(FOLD(a, by_16), _mm_loadu_si128(block));
    const __m128i low = _mm_setr_epi32(~0, 0, ~0, 0);
    a = _mm_xor_si128(_mm_clmulepi64_si128(a, by_16, 0x10), _mm_srli_si128(a, 8));
    a = _mm_xor_si128(_mm_clmulepi64_si128(_mm_and_si128(a, low), _mm_set_epi64x(0, 0x0163cd6124), 0x00),
                      _mm_srli_si128(a, 4));
    const __m128i barrett = _mm_set_epi64x(0x01f7011641, 0x01db710641);
    b = _mm_clmulepi64_si128(_mm_and_si128(a, low), barrett, 0x10);
    b = _mm_clmulepi64_si128(_mm_and_si128(b, low), barrett, 0x00);
    return (uint32_t)_mm_extract_epi32(_mm_xor_si128(a, b), 1);
}
#else
EXPORT int32_t cogsym_has_crc32(void) { return 0; }
EXPORT uint32_t cogsym_crc32(uint32_t crc, const uint8_t *data, int64_t length) {
    (void)data, (void)length;
    return crc;
}
#endif
