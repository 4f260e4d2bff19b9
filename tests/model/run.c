/* run.c: opening and running models in tests. */
#include "run.h"
#include "platform.h"

#include <stdlib.h>

static void must(bool good, const struct fault *fault)
{
    if (!good)
        fail_msg("%s", fault->text);
}

struct exec *run_exec(struct run *run, const struct run_options *options)
{
    struct fault fault = {0};
    struct exec *exec;
    struct exec_ref_options ref = {
        .plan = &run->plan,
        .gguf = run->gguf,
        .parallel = run->parallel,
        .context = options->context,
        .batch_max = options->batch_max,
        .outputs_max = options->outputs_max,
        .kv = options->kv,
    };
    must(exec_ref_create(&ref, run->weights, &exec, &fault), &fault);
    return exec;
}

void run_open(struct run *run, const char *path, const struct run_options *options)
{
    struct fault fault = {0};
    memset(run, 0, sizeof *run);
    must(gguf_open(path, &run->gguf, &fault), &fault);
    must(model_build(run->gguf, 0, &run->plan, &run->info, &fault), &fault);
    must(ref_weights_load(&run->plan, run->gguf, &run->weights, &fault), &fault);
    must(parallel_create(options->threads, &run->parallel, &fault), &fault);
    run->exec = run_exec(run, options);
}

void run_close(struct run *run)
{
    exec_destroy(run->exec);
    parallel_destroy(run->parallel);
    ref_weights_free(run->weights);
    plan_free(&run->plan);
    gguf_close(run->gguf);
}

void run_tokens(struct exec *exec, const int32_t *tokens, uint32_t count, uint32_t position,
                uint32_t outputs, float *logits)
{
    struct fault fault = {0};
    struct batch batch = {
        .tokens = tokens, .count = count, .position = position, .outputs = outputs};
    must(exec_run(exec, &batch, NULL, &fault), &fault);
    if (outputs)
        must(exec->methods->logits(exec, 0, outputs, logits, &fault), &fault);
}

static int32_t best_token(struct exec *exec)
{
    struct fault fault = {0};
    int32_t id;
    float logit;
    must(exec->methods->top(exec, 0, 1, &id, &logit, &fault), &fault);
    return id;
}

void run_greedy(struct exec *exec, const int32_t *prompt, uint32_t prompt_count, uint32_t count,
                int32_t *ids)
{
    struct fault fault = {0};
    struct batch batch = {.tokens = prompt, .count = prompt_count, .outputs = 1};
    for (uint32_t i = 0; i < count; i++) {
        must(exec_run(exec, &batch, NULL, &fault), &fault);
        ids[i] = best_token(exec);
        batch = (struct batch){
            .tokens = &ids[i], .count = 1, .position = prompt_count + i, .outputs = 1};
    }
}

size_t json_ints(const char *path, const char *key, int32_t *values, size_t capacity)
{
    char quoted[64], *text;
    size_t size, count = 0;
    struct fault fault = {0};
    must(file_load(path, 1 << 24, &text, &size, &fault), &fault);
    snprintf(quoted, sizeof quoted, "\"%s\"", key);
    char *at = strstr(text, quoted);
    assert_non_null(at);
    at = strchr(at, '[');
    assert_non_null(at);
    for (at++; *at && *at != ']'; count++) {
        assert_true(count < capacity);
        values[count] = (int32_t)strtol(at, &at, 10);
        at += strspn(at, ", \n\t\r");
    }
    free(text);
    return count;
}
