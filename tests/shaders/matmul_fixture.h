/* matmul_fixture.h: what the matmul tests share: random weights of any type on the device, and
 * y = W x of known numbers by any kernel against double precision. */
#ifndef LICHEN_MATMUL_FIXTURE_H
#define LICHEN_MATMUL_FIXTURE_H

#include "gpu_fixture.h"
#include "gpu_tiling.h"

enum { FIXTURE_TYPE_COUNT = 13 };

extern const enum dtype fixture_types[FIXTURE_TYPE_COUNT];

/* blocks of random codes with finite scales, of normal size or (tiny) subnormal binary16 too. */
void fixture_blocks(enum dtype dtype, uint8_t *blocks, size_t count, bool tiny, uint64_t *seed);

struct gpu_buffer *fixture_buffer(struct gpu_device *device, const void *bytes, uint64_t size);

struct matmul_case {
    enum dtype dtype;
    uint32_t rows, cols; /* of W */
    uint32_t row_first, row_count;
    uint32_t shard_rows; /* rows a shard */
    uint32_t tokens;     /* of the run */
    uint32_t tokens_max; /* of the call */
    uint32_t interleave; /* of the planes, 0 = as the device has it */
    bool bias, residual, in_place;
    bool outputs;
    bool one_group; /* token t has numbers in its group t of 32 columns alone */
};

/* Runs the case with kernel and tiling as chosen for a device described by info; fails the test
 * when |y - reference| > bound * (sum |w x| + |bias| + |residual|) or when anything else of y
 * changes. */
void fixture_matmul(struct gpu_device *device, const struct gpu_info *info,
                    const struct matmul_case *matmul, enum matmul_kind kind, double bound);
/* The results [tokens, row_count] of two kernels, for the test to compare bit by bit. No epilogue,
 * no in_place. */
void fixture_matmul_pair(struct gpu_device *device, const struct gpu_info *info,
                         const struct matmul_case *matmul, const enum matmul_kind kinds[2],
                         float *results[2]);

#endif
