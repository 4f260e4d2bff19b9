/* run.h: a model file opened, planned and ready on exec_ref, for the tests of graph and model.
 * Every function asserts that it succeeds. */
#ifndef LICHEN_TEST_RUN_H
#define LICHEN_TEST_RUN_H

#include "testing.h"

#include "exec.h"
#include "model.h"

struct run_options {
    uint32_t context, batch_max, outputs_max, threads;
    enum kv_type kv;
};

struct run {
    struct gguf *gguf;
    struct plan plan;
    struct model_info info;
    struct ref_weights *weights;
    struct parallel *parallel;
    struct exec *exec;
};

void run_open(struct run *run, const char *path, const struct run_options *options);
/* Another executor on the same weights and threads. */
struct exec *run_exec(struct run *run, const struct run_options *options);
void run_close(struct run *run);

/* Feeds count tokens from position on and reads the logits of the last `outputs` [outputs, vocab].
 */
void run_tokens(struct exec *exec, const int32_t *tokens, uint32_t count, uint32_t position,
                uint32_t outputs, float *logits);
/* Feeds the prompt, then takes the best token `count` times. */
void run_greedy(struct exec *exec, const int32_t *prompt, uint32_t prompt_count, uint32_t count,
                int32_t *ids);

/* The integers of the array behind "key" in a JSON file; returns their number. */
size_t json_ints(const char *path, const char *key, int32_t *values, size_t capacity);

#endif
