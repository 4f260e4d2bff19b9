/* triangle.h: a symmetric [n, n] matrix as its upper triangle: row i holds columns i .. n-1. */
#ifndef LICHEN_TRIANGLE_H
#define LICHEN_TRIANGLE_H

#include <stdint.h>

static inline uint64_t triangle_count(uint32_t columns)
{
    return (uint64_t)columns * ((uint64_t)columns + 1) / 2;
}

/* Where row `row` begins. */
static inline uint64_t triangle_row(uint32_t columns, uint32_t row)
{
    return (uint64_t)row * (2 * (uint64_t)columns + 1 - row) / 2;
}

#endif
