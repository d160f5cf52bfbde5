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
#if (defined(__clang__) && __clang_major__ >= 10) || (!defined(__clang__) && __GNUC__ >= 9)
#define HAS_AVX512 1
#endif
#endif

/* The best version for the processor is picked when the library is loaded; the results are the same. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__GLIBC__)
#define CLONES __attribute__((target_clones("avx2", "default")))
#else
#define CLONES
#endif

#define PREDICTED 64 /* columns that are predicted at a time */
#define MAX_RANK 128
#define LANES 64 /* running sums of squares */
#define BLOCK 4096 /* weights whose groups are worked out at a time */

EXPORT int32_t cogsym_kernel_version(void) { return 3; }

/* setuptools makes extension modules, so this one has an entry; nobody imports it as a module. */
EXPORT void *PyInit__kernel(void) { return NULL; }

/* The stored table: the group of each context from `first` on, and where a weight keeps its exponent. */
typedef struct {
    int32_t first, n_contexts, n_groups, shift;
    uint32_t mask;
    const uint8_t *groups;
} Table;

static inline uint8_t group_of(uint32_t exponent, int32_t level, const Table *table) {
    int32_t context = 2 * (int32_t)exponent - level;
    context = context < 0 ? 0 : context;
    context = context < table->n_contexts ? context : table->n_contexts - 1;
    return table->groups[context];
}

static inline float bf16_float(uint16_t bits) {
    const uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, 4);
    return value;
}

static inline int bf16_finite(uint16_t bits) { return (bits & 0x7F80) != 0x7F80; }

/* New minus old value; zero where either is not finite. */
static inline double bf16_change(uint16_t old, uint16_t new) {
    const double difference = (double)bf16_float(new) - (double)bf16_float(old);
    return bf16_finite(old) & bf16_finite(new) ? difference : 0.0;
}

/* The smallest e with size < 2^e; 0 for 0. */
static inline int64_t exponent_of(double size) {
    uint64_t bits;
    memcpy(&bits, &size, 8);
    return size > 0 ? (int64_t)(bits >> 52) - 1022 : 0;
}

static inline double power_of_two(int64_t exponent) {
    const uint64_t bits = (uint64_t)(1023 + exponent) << 52;
    double power;
    memcpy(&power, &bits, 8);
    return power;
}

/* The nearest whole number of at most 15 bits, ties to even. */
static inline double whole_of(double value) {
    const double large = 6755399441055744.0; /* 1.5 * 2^52: adding it leaves no room for a fraction */
    const double rounded = (value + large) - large;
    return rounded > 32767 ? 32767 : rounded < -32767 ? -32767 : rounded;
}

static inline uint16_t bf16_rounded(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return (uint16_t)((bits + ((bits >> 16) & 1) + 0x7FFF) >> 16);
}

/* PREDICTED columns of `right` (rank, n_columns) side by side, zeros beyond its last: rows that lie far apart would push
   each other out of the cache. */
static inline void cut_strip(const float *right, int64_t n_columns, int64_t start, int32_t rank, float *strip) {
    for (int32_t k = 0; k < rank; k++)
        for (int64_t j = 0; j < PREDICTED; j++)
            strip[k * PREDICTED + j] = start + j < n_columns ? right[k * n_columns + start + j] : 0;
}

/* For each width of a weight: differences sorted into groups (split), and groups added onto the base (join).

   split: `group` is scratch, one byte per weight; `counts` (256) returns how many weights each group has.
   join: `positions` (256) holds where in `values` each group starts, and returns where it ended. The caller provides
   room after the last group for as many values as there are weights and 32 more, so no stream, however wrong, leads
   outside. */
#define BITS uint16_t
#define WIDTH 16
#define NAME(verb) verb##_u16
#include "_kernel_loops.h"
#undef BITS
#undef WIDTH
#undef NAME
#define BITS uint32_t
#define WIDTH 32
#define NAME(verb) verb##_u32
#include "_kernel_loops.h"

#ifdef HAS_AVX512
#include "_kernel_avx512.h"
#endif

static Table table_of(int32_t first, const uint8_t *groups, int32_t n_contexts, int32_t shift, uint32_t mask) {
    Table table = {first, n_contexts, 0, shift, mask, groups};
    for (int32_t c = 0; c < n_contexts; c++)
        if (groups[c] >= table.n_groups) table.n_groups = groups[c] + 1;
    return table;
}

/* `width`: bytes of a weight, 2 or 4. `plain`: do without AVX-512. */
EXPORT void cogsym_split(int32_t width, int32_t plain, const void *base, const void *fresh, int64_t n_rows,
                         int64_t n_columns, const int8_t *rows, const int8_t *columns, int32_t first,
                         const uint8_t *groups, int32_t n_contexts, int32_t shift, uint32_t mask, void *values,
                         uint8_t *group, int64_t *counts) {
    const Table table = table_of(first, groups, n_contexts, shift, mask);
    if (width == 4)
        split_u32(base, fresh, n_rows, n_columns, rows, columns, &table, values, group, counts);
#ifdef HAS_AVX512
    else if (!plain && has_avx512() && fits_avx512(&table))
        split_avx512(base, fresh, n_rows, n_columns, rows, columns, &table, values, group, counts);
#endif
    else
        split_u16(base, fresh, n_rows, n_columns, rows, columns, &table, values, group, counts);
    (void)plain;
}

EXPORT void cogsym_join(int32_t width, int32_t plain, void *target, int64_t n_rows, int64_t n_columns,
                        const int8_t *rows, const int8_t *columns, int32_t first, const uint8_t *groups,
                        int32_t n_contexts, int32_t shift, uint32_t mask, const void *values, int64_t *positions) {
    const Table table = table_of(first, groups, n_contexts, shift, mask);
    if (width == 4)
        join_u32(target, n_rows, n_columns, rows, columns, &table, values, positions);
#ifdef HAS_AVX512
    else if (!plain && has_avx512() && fits_avx512(&table))
        join_avx512(target, n_rows, n_columns, rows, columns, &table, values, positions);
#endif
    else
        join_u16(target, n_rows, n_columns, rows, columns, &table, values, positions);
    (void)plain;
}

/* bits = base + (left @ right) * scale in place, rounded to bfloat16 with ties to even. All sums are of whole numbers
   below 2^24 and the scales are powers of two, so only the last addition rounds: the order of summation does not matter,
   nor whether products are rounded on their way. */
CLONES static void predict_bf16(uint16_t *target, int64_t n_rows, int64_t n_columns, int32_t rank, const float *left,
                                const float *right, const float *scales) {
    float strip[MAX_RANK * PREDICTED];
    for (int64_t start = 0; start < n_columns; start += PREDICTED) {
        const int64_t n = n_columns - start < PREDICTED ? n_columns - start : PREDICTED;
        cut_strip(right, n_columns, start, rank, strip);
        for (int64_t i = 0; i < n_rows; i++) {
            float sums[PREDICTED] = {0};
            const float *factor = left + i * rank;
            for (int32_t k = 0; k < rank; k++)
                for (int64_t j = 0; j < PREDICTED; j++) sums[j] += factor[k] * strip[k * PREDICTED + j];
            uint16_t *out = target + i * n_columns + start;
            for (int64_t j = 0; j < n; j++) {
                const uint32_t exponent = (out[j] >> 7) & 0xFF;
                const uint16_t rounded = bf16_rounded(bf16_float(out[j]) + sums[j] * scales[i]);
                out[j] = exponent >= 32 && exponent < 255 ? rounded : out[j];
            }
        }
    }
}

EXPORT void cogsym_predict_bf16(int32_t plain, uint16_t *target, int64_t n_rows, int64_t n_columns, int32_t rank,
                                const float *left, const float *right, const float *scales) {
#ifdef HAS_AVX512
    if (!plain && has_avx512()) {
        predict_avx512(target, n_rows, n_columns, rank, left, right, scales);
        return;
    }
#endif
    (void)plain;
    predict_bf16(target, n_rows, n_columns, rank, left, right, scales);
}

/* change = (fresh - base) brought to 15 bits by a power of two per row, rounded to whole numbers, ties to even; zero
   where either is not finite. `exponents` (n_rows): the change is about change * 2^exponent. */
CLONES static void scaled_change_bf16(const uint16_t *base, const uint16_t *fresh, int64_t n_rows, int64_t n_columns,
                                      double *change, int64_t *exponents) {
    for (int64_t i = 0; i < n_rows; i++) {
        const uint16_t *old = base + i * n_columns, *new = fresh + i * n_columns;
        double *out = change + i * n_columns;
        double largest = 0;
        for (int64_t j = 0; j < n_columns; j++) out[j] = bf16_change(old[j], new[j]);
        for (int64_t j = 0; j < n_columns; j++) {
            const double size = out[j] < 0 ? -out[j] : out[j];
            largest = size > largest ? size : largest;
        }
        exponents[i] = exponent_of(largest) - 15;
        const double scale = power_of_two(-exponents[i]);
        for (int64_t j = 0; j < n_columns; j++) out[j] = whole_of(out[j] * scale);
    }
}

EXPORT void cogsym_scaled_change_bf16(int32_t plain, const uint16_t *base, const uint16_t *fresh, int64_t n_rows,
                                      int64_t n_columns, double *change, int64_t *exponents) {
#ifdef HAS_AVX512
    if (!plain && has_avx512()) {
        scaled_change_avx512(base, fresh, n_rows, n_columns, change, exponents);
        return;
    }
#endif
    (void)plain;
    scaled_change_bf16(base, fresh, n_rows, n_columns, change, exponents);
}

/* What differs between two bfloat16 matrices. `changed_columns` (n_columns) is added to, and so are the LANES sums in
   `squares`, of which weight j of a row belongs to number j % LANES: the order of summation is part of the result.
   `changed_rows` (n_rows) is written. Returns how many weights differ. */
CLONES static int64_t compare_bf16(const uint16_t *base, const uint16_t *fresh, int64_t n_rows, int64_t n_columns,
                                   uint8_t *changed_rows, uint8_t *changed_columns, double *squares) {
    int64_t total = 0;
    double sums[LANES];
    memcpy(sums, squares, sizeof sums);
    for (int64_t i = 0; i < n_rows; i++) {
        const uint16_t *old = base + i * n_columns, *new = fresh + i * n_columns;
        changed_rows[i] = memcmp(old, new, 2 * (size_t)n_columns) != 0;
        if (!changed_rows[i]) continue;
        int32_t count = 0;
        for (int64_t j = 0; j < n_columns; j++) {
            const uint8_t differs = old[j] != new[j];
            changed_columns[j] |= differs;
            count += differs;
        }
        total += count;
        int64_t start = 0;
        for (; start + LANES <= n_columns; start += LANES)
            for (int j = 0; j < LANES; j++) {
                const double change = bf16_change(old[start + j], new[start + j]);
                sums[j] += change * change;
            }
        for (int64_t j = start; j < n_columns; j++) {
            const double change = bf16_change(old[j], new[j]);
            sums[j - start] += change * change;
        }
    }
    memcpy(squares, sums, sizeof sums);
    return total;
}

EXPORT int64_t cogsym_compare_bf16(int32_t plain, const uint16_t *base, const uint16_t *fresh, int64_t n_rows,
                                   int64_t n_columns, uint8_t *changed_rows, uint8_t *changed_columns,
                                   double *squares) {
#ifdef HAS_AVX512
    if (!plain && has_avx512())
        return compare_avx512(base, fresh, n_rows, n_columns, changed_rows, changed_columns, squares);
#endif
    (void)plain;
    return compare_bf16(base, fresh, n_rows, n_columns, changed_rows, changed_columns, squares);
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
