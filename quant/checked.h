/* checked.h: the only arithmetic that may touch a number which came from a file.
 * Each returns false on overflow and then leaves *out unspecified. */
#ifndef LICHEN_CHECKED_H
#define LICHEN_CHECKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool checked_add_u64(uint64_t a, uint64_t b, uint64_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

static inline bool checked_sub_u64(uint64_t a, uint64_t b, uint64_t *out)
{
    return !__builtin_sub_overflow(a, b, out);
}

static inline bool checked_mul_u64(uint64_t a, uint64_t b, uint64_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

/* Rounds value up to a multiple of alignment (a power of two). */
static inline bool checked_align_u64(uint64_t value, uint64_t alignment, uint64_t *out)
{
    if (!checked_add_u64(value, alignment - 1, out))
        return false;
    *out &= ~(alignment - 1);
    return true;
}

static inline bool checked_size(uint64_t value, size_t *out)
{
    *out = (size_t)value;
    return (uint64_t)*out == value;
}

#endif
