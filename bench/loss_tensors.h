/* loss_tensors.h: files weight by weight, without running them:
 *
 *   e = w(candidate) - w(base)     SQNR = 10 log10(sum w^2 / sum e^2) dB     relative RMSE =
 * sqrt(sum e^2 / sum w^2) cosine = sum w w' / sqrt(sum w^2 sum w'^2)          peak = max |e| / max
 * |w|
 *
 * and, with the moments of what the layer is given (lichen calibrate), its output y = W x over that
 * text:
 *
 *   output error = |y' - y| / |y| = sqrt(sum_rows e H e / sum_rows w H w)        H = mean of x x^T
 *   output cosine = sum w H w' / sqrt(sum w H w  sum w' H w')
 *
 * With the diagonal of H alone (an importance matrix) inputs count as uncorrelated.
 * Matrices only: norms and biases are hardly ever quantized. */
#ifndef LICHEN_LOSS_TENSORS_H
#define LICHEN_LOSS_TENSORS_H

#include "dtype.h"
#include "fault.h"
#include "parallel.h"
#include <jansson.h>

enum { LOSS_SAMPLED = 32, LOSS_SHORTFALL = 4 };

struct loss_weights {                            /* sums over a tensor, float64 */
    double base, error, candidate, product;      /* of w^2, e^2, w'^2, w w' */
    double base_peak, error_peak;                /* largest |w|, |e| */
    double output, output_error, output_product; /* of w H w, e H e, w H e */
    double sampled_error, expected_error;        /* of e^2 over some rows, and of their rounding */
};

/* Adds count weights. */
void loss_weights_add(struct loss_weights *sums, const float *base, const float *candidate,
                      size_t count);
/* Adds one row to the output's sums. Either of the moments may be NULL: matrix [columns, columns],
 * diagonal [columns]. */
void loss_output_add(struct loss_weights *sums, const float *base, const float *candidate,
                     size_t columns, const float *matrix, const float *diagonal);

/* Adds one row to sampled_error, and to expected_error the error of the base's row rounded anew to
 * the candidate's type with lichen's own search, unweighted. columns: a multiple of the type's
 * block. blocks: room for the row in that type. A type that lichen does not write adds nothing. */
void loss_expected_add(struct loss_weights *sums, enum dtype dtype, const float *base,
                       const float *candidate, uint32_t columns, void *blocks);
/* By how much the candidate is noisier than its type has to be; NAN when unknown. */
double loss_shortfall_db(const struct loss_weights *sums);

struct calibration; /* convert/calibration.h */

struct loss_tensors_options {
    const struct calibration *calibration; /* NULL = none */
    struct parallel *parallel;             /* the result does not depend on the threads */
    /* False gives up with FAULT_CANCELLED. May be NULL. */
    bool (*progress)(void *context, uint64_t done, uint64_t total);
    void *context;
};

/* Every file is read once, the base for all candidates (count of them, at least 1). arrays[i], a
 * new reference: of
 * {"name","type","base_type","weights","sqnr_db","relative_rmse","cosine","peak"}; equal weights
 * have sqnr_db null. Where lichen writes the type, also {"sqnr_expected_db","below_expected"}: what
 * rounding to it gives on these weights (from LOSS_SAMPLED rows at most), and whether the matrix is
 * more than LOSS_SHORTFALL dB below. With a calibration, where it knows the tensor, also
 * {"output_error","output_cosine","moments":"full"|"diagonal"}. A tensor that one file lacks is
 * left out; one of another shape is a FAULT_ARGUMENT. On failure all arrays are NULL. */
bool loss_tensors(const char *base, const char *const *candidates, size_t count,
                  const struct loss_tensors_options *options, json_t **arrays, struct fault *fault);

#endif
