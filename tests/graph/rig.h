/* rig.h: small hand-made plans on exec_ref. A test adds tensors (random, float32 unless said), then
 * steps; the rig closes the plan with SELECT and a head so that it is whole, runs it and lets the
 * test look at any step. Inputs come from the embedding: row t of "x" is row tokens[t] of
 * embedding. */
#ifndef LICHEN_TEST_RIG_H
#define LICHEN_TEST_RIG_H

#include "testing.h"

#include "exec.h"

enum { RIG_VOCAB = 64, RIG_TENSOR_MAX = 16 };

struct rig {
    uint64_t seed;
    uint32_t width;
    uint32_t tensor_count;
    struct {
        char name[32];
        uint32_t rows, cols;
        enum dtype dtype;
        uint8_t *bytes;
        float *values; /* decoded [rows, cols] */
    } tensors[RIG_TENSOR_MAX];
    struct gguf *gguf;
    struct plan plan;
    uint32_t x; /* buffer of the embedding */
    struct ref_weights *weights;
    struct parallel *parallel;
    struct exec *exec;
};

struct rig_options {
    uint32_t context, batch_max, threads;
    enum kv_type kv;
};

/* Embedding [RIG_VOCAB, width] and head are there from the beginning. */
void rig_init(struct rig *rig, uint32_t width, uint64_t seed);
/* A tensor of random numbers in [-1, 1) (blocks: random codes, small scales); returns its index. */
uint32_t rig_tensor(struct rig *rig, const char *name, enum dtype dtype, uint32_t rows,
                    uint32_t cols);
/* Writes and opens the file of the tensors, starts the plan with an EMBED of scale 1. */
void rig_plan(struct rig *rig);
struct weight_ref rig_weight(struct rig *rig, uint32_t tensor);
uint32_t rig_buffer(struct rig *rig, const char *name, uint32_t width);
/* Returns the step's index. */
uint32_t rig_step(struct rig *rig, const struct step *step);
/* Adds `count` KV layers. */
void rig_layers(struct rig *rig, uint32_t count, const struct kv_layer *layers);
void rig_ready(struct rig *rig, const struct rig_options *options);
void rig_run(struct rig *rig, const struct batch *batch);
/* The output of a step of the last run. */
void rig_peek(struct rig *rig, uint32_t step, float *dst, size_t count);
void rig_close(struct rig *rig);

/* y[r] = sum_c W[r][c] x[c] in double, W = a rig tensor. Returns the largest sum of |W[r][c] x[c]|,
 * which float rounding errors are proportional to. */
double rig_product(const struct rig *rig, uint32_t tensor, const float *x, double *y);
/* Asserts |found - expected| <= bound * max(1, |expected|) for all. */
void rig_compare(const char *what, const float *found, const double *expected, size_t count,
                 double bound);

#endif
