/* weighting.h: how rows of a tensor become blocks: by the types' own weighting, by a calibration's
 * importance, or refined against its Hessian. One Hessian is in memory at a time, so tensors are
 * encoded in stretches that share one. */
#ifndef LICHEN_WEIGHTING_H
#define LICHEN_WEIGHTING_H

#include "convert.h"
#include "encode.h"

struct weighting;

bool weighting_create(const struct convert_options *options, uint32_t threads,
                      struct weighting **out, struct fault *fault);
void weighting_destroy(struct weighting *weighting); /* NULL is allowed */
/* May both be encoded after one weighting_prepare? */
bool weighting_same(const struct weighting *weighting, uint32_t a, uint32_t b);
/* Refining takes long: its blocks of rows are smaller. */
bool weighting_refines(const struct weighting *weighting, uint32_t tensor);
/* Loads what tensor needs; not while one is encoded. */
bool weighting_prepare(struct weighting *weighting, uint32_t tensor, struct fault *fault);
/* src [row_count, columns] -> dst. Thread-safe, thread < threads. A calibration of other columns is
 * a fault. */
bool weighting_encode(const struct weighting *weighting, uint32_t tensor, const float *src,
                      uint32_t row_count, uint32_t thread, void *dst, struct encode_stats *stats,
                      struct fault *fault);

#endif
