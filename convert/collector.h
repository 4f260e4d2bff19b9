/* collector.h: gathers the activation statistics of a calibration (calibration.h) and writes them.
 * What is collected, over the tokens of a text, for every distinct input x of linear layers:
 *   sum of x^2 for each column, in double (llama.cpp's imatrix)
 *   with `hessian` also H = mean of x x^T, float32, the upper triangle
 *
 * The Hessians may be larger than memory: they are gathered a few inputs at a time, and the text is
 * run once a pass. Only what a pass gathers is in memory; the file is written as passes end.
 *
 *   collector_create; for each pass: {pass_begin, add ..., pass_end}; the sensitivities, if any, go
 *   in between the first pass's last add and its end; collector_finish makes the file whole.
 * One thread calls; the work is spread over `threads`, whose number does not change a bit. */
#ifndef LICHEN_COLLECTOR_H
#define LICHEN_COLLECTOR_H

#include "fault.h"
#include <stdint.h>

struct collector;

struct collector_weight {
    const char *name; /* GGUF's; outlives the collector */
    uint32_t columns;
    uint32_t source; /* equal for weights with the same input */
};

struct collector_options {
    const struct collector_weight *weights; /* [weight_count], outlives; a name may occur twice */
    uint32_t weight_count;
    const char *const *texts; /* [text_count] names of the texts, outlive */
    uint32_t text_count;
    uint32_t chunk_count, chunk_size; /* windows of the text, tokens a window */
    bool hessian;
    uint64_t memory; /* bytes that Hessians may take at a time; one always fits. 0 = 2 GiB */
    uint32_t threads; /* 0 = all processors */
};

bool collector_create(const struct collector_options *options, struct collector **out,
                      struct fault *fault);
/* Also after a failure; an unfinished file is removed. NULL is allowed. */
void collector_destroy(struct collector *collector);
uint32_t collector_passes(const struct collector *collector);
bool collector_pass_begin(struct collector *collector, uint32_t pass, struct fault *fault);
/* True while this pass still wants inputs of a weight from `weight` on: else a run may stop. */
bool collector_wants(const struct collector *collector, uint32_t weight);
/* inputs [tokens, columns] of weights[weight]; counted once an input, at its first weight. A value
 * that is not finite is a fault. */
bool collector_add(struct collector *collector, uint32_t weight, const float *inputs,
                   uint32_t tokens, struct fault *fault);
/* After the adds of the first pass: mean of x^2 for each column, dst [columns]. */
void collector_importance(const struct collector *collector, uint32_t weight, float *dst);
/* names and values [count], outlive: KLD = value * relative squared error of the tensor
 * (calibration_sensitivity), also of tensors that are no linear layer. Before the first pass ends. */
void collector_set_sensitivity(struct collector *collector, const char *const *names,
                               const float *values, uint32_t count);
/* path: of the file, begun by the end of the first pass. */
bool collector_pass_end(struct collector *collector, const char *path, struct fault *fault);
bool collector_finish(struct collector *collector, struct fault *fault);

#endif
