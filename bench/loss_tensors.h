/* loss_tensors.h: two files weight by weight, without running them:
 *
 *   e = w(candidate) - w(base)     SQNR = 10 log10(sum w^2 / sum e^2) dB     relative RMSE =
 * sqrt(sum e^2 / sum w^2) cosine = sum w w' / sqrt(sum w^2 sum w'^2)          peak = max |e| / max
 * |w|
 *
 * Matrices only: norms and biases are hardly ever quantized. */
#ifndef LICHEN_LOSS_TENSORS_H
#define LICHEN_LOSS_TENSORS_H

#include "fault.h"
#include "parallel.h"
#include <jansson.h>

struct loss_weights {                       /* sums over a tensor, float64 */
    double base, error, candidate, product; /* of w^2, e^2, w'^2, w w' */
    double base_peak, error_peak;           /* largest |w|, |e| */
};

/* Adds count weights. */
void loss_weights_add(struct loss_weights *sums, const float *base, const float *candidate,
                      size_t count);

/* Array of {"name","type","base_type","weights","sqnr_db","relative_rmse","cosine","peak"} in *out,
 * a new reference; equal weights have sqnr_db null. A tensor that one file lacks is left out; one
 * of another shape is a FAULT_ARGUMENT. The result does not depend on the threads. */
bool loss_tensors(const char *base, const char *candidate, struct parallel *parallel,
                  bool (*progress)(void *context, uint64_t done, uint64_t total), void *context,
                  json_t **out, struct fault *fault);

#endif
