/* gpu_tiling.h: which matmul kernel runs and how it cuts the work; a function of the device's facts
 * alone, so that a test can ask for the choice of a device that is not there and run it. */
#ifndef LICHEN_GPU_TILING_H
#define LICHEN_GPU_TILING_H

#include "gpu_matmul.h"
#include "shader_table.h"

enum matmul_kind {
    MATMUL_GEMV,    /* float32, a subgroup owns rows */
    MATMUL_GEMV_16, /* packed dots, x as A16 */
    MATMUL_GEMV_8,  /* packed dots, x as A8 */
    MATMUL_LANE,    /* float32, a lane owns rows: software devices */
    MATMUL_LANE_16, /* the numbers of MATMUL_GEMV_16 without packed dots */
    MATMUL_LANE_8,  /* of MATMUL_GEMV_8 */
    MATMUL_GEMM,    /* float32 tiles in shared memory: many tokens, or no subgroup operations */
    MATMUL_KIND_COUNT
};

struct gpu_tiling {
    enum matmul_kind kind;
    enum shader_id shader;
    uint32_t rows, tokens;   /* of a workgroup */
    uint32_t spec[3], slots; /* specialization constants 0, 1, 2 and 4 */
    uint32_t subgroup_size;  /* required, 0 = any */
    uint32_t depth;          /* specialization constant 7, at most; 0 or 1: one group at a time */
};

/* True when the kernel reads x in packed-dot form. */
static inline bool matmul_kind_packed(enum matmul_kind kind)
{
    return kind == MATMUL_GEMV_16 || kind == MATMUL_GEMV_8 || kind == MATMUL_LANE_16 ||
           kind == MATMUL_LANE_8;
}

enum matmul_kind gpu_matmul_choose(const struct gpu_info *info, enum dtype dtype,
                                   uint32_t tokens_max, enum activation_format format);
struct gpu_tiling gpu_matmul_tile(const struct gpu_info *info, enum dtype dtype,
                                  uint32_t tokens_max, enum matmul_kind kind);
/* Widens the workgroup so that a finish finds in it what belongs together. */
void gpu_tiling_finish(const struct gpu_info *info, const struct gpu_matmul_finish *finish,
                       struct gpu_tiling *tiling);
/* gpu_matmul_prepare with a tiling of the caller's choice. */
bool gpu_matmul_prepare_tiling(struct gpu_device *device, const struct gpu_matmul_call *call,
                               const struct gpu_tiling *tiling, struct gpu_matmul **out,
                               struct fault *fault);

#endif
