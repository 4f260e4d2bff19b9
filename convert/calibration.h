/* calibration.h: activation statistics of a model's linear layers, made by `lichen calibrate` (or,
 * the diagonal alone, by llama.cpp's llama-imatrix), read from:
 *   - a GGUF with general.type "imatrix": <weight>.in_sum2 [columns], <weight>.counts [1]
 *   - llama.cpp's old .dat form (quantization.md 1.1)
 *   - our own additions to such a GGUF: <input>.hessian, F32 [columns (columns + 1) / 2], the mean
 *     of x x^T over tokens as its upper triangle row by row (triangle.h), one for all weights that
 *     share an input; in parallel arrays lichen.calibration.weights and
 *     lichen.calibration.inputs (the weight that names the input of each),
 *     lichen.calibration.sensitive and lichen.calibration.sensitivity (tensors, and KLD a relative
 *     squared error of each)
 * After open it is read-only and safe to share between threads. */
#ifndef LICHEN_CALIBRATION_H
#define LICHEN_CALIBRATION_H

#include "fault.h"
#include "gguf.h"
#include <stdint.h>

struct calibration;

bool calibration_open(const char *path, struct calibration **out, struct fault *fault);
void calibration_close(struct calibration *calibration); /* NULL is allowed */

/* weight: GGUF name of the tensor. Mean of x^2 for each column, [columns], calibration's; NULL when
 * the file has none. Another length than columns is a fault. */
bool calibration_importance(const struct calibration *calibration, const char *weight,
                            uint32_t columns, const float **importance, struct fault *fault);
bool calibration_has_hessian(const struct calibration *calibration, const char *weight);
/* Two weights with the same input name share one Hessian. NULL when there is none. */
const char *calibration_input(const struct calibration *calibration, const char *weight);
/* dst[columns * columns], symmetric; tokens: over how many it is the mean. */
bool calibration_hessian(const struct calibration *calibration, const char *weight,
                         uint32_t columns, float *dst, uint64_t *tokens, struct fault *fault);
/* The names of the texts that it was made of, calibration's; 0 when the file does not say. */
size_t calibration_corpus(const struct calibration *calibration, const struct gguf_string **names);
/* KLD = sensitivity * |W - Q|^2 / |W|^2 (activation-weighted); < 0 when not measured. */
double calibration_sensitivity(const struct calibration *calibration, const char *weight);

#endif
