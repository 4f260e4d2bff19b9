/* refine.h: rows to standard blocks against a calibration Hessian: weighted least-squares start,
 * then coordinate descent on codes and block scales of the objective tr(E (H + lambda mean(diag H)
 * I) E^T), E = W - decode(blocks) (quantization.md section 4, step 2). The objective never rises.
 */
#ifndef LICHEN_REFINE_H
#define LICHEN_REFINE_H

#include "encode.h"
#include "fault.h"

struct refine; /* one Hessian, damped and prepared; shared by all weights with the same input */

struct refine_options {
    enum dtype dtype; /* to be written */
    float damping;    /* lambda; 0 = 0.3 (Q4_0, the coarsest: 0.1), or 1 below 20 tokens a column */
    uint32_t sweeps;  /* 0 = 3 */
};

/* hessian[columns * columns] is copied or taken over; may be freed afterwards. */
bool refine_create(const float *hessian, uint32_t columns, uint64_t tokens,
                   const struct refine_options *options, struct refine **out, struct fault *fault);
void refine_destroy(struct refine *refine); /* NULL is allowed */
bool refine_supported(enum dtype dtype);
/* Bytes of scratch that one call of refine_rows needs for row_count rows. */
size_t refine_scratch_size(const struct refine *refine, uint32_t row_count);
/* src[row_count * columns] -> dst, blocks of dtype. Rows are independent; the result does not
 * depend on how they are grouped. Thread-safe with a scratch of its own. objective: before (start
 * point) and after, summed over the rows, added to what is there; may be NULL. */
void refine_rows(const struct refine *refine, enum dtype dtype, const float *src,
                 uint32_t row_count, void *dst, void *scratch, struct encode_stats *stats,
                 double objective[2]);

#endif
