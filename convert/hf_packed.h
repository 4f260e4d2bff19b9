/* hf_packed.h: the packed integers of hf_weight.h. Internal to hf_weight.c. */
#ifndef LICHEN_HF_PACKED_H
#define LICHEN_HF_PACKED_H

#include "hf_weight.h"

bool hf_packed_inspect(const struct checkpoint *checkpoint, struct hf_weight *weight,
                       struct fault *fault);
bool hf_packed_read(const struct checkpoint *checkpoint, const struct hf_weight *weight,
                    uint64_t first_row, uint64_t row_count, float *dst, struct fault *fault);
bool hf_packed_read_lossless(const struct checkpoint *checkpoint, const struct hf_weight *weight,
                             uint64_t first_row, uint64_t row_count, void *dst,
                             struct fault *fault);

#endif
