/* rig.c: see rig.h. */
#include "rig.h"

#include "block.h"
#include "gguf_write.h"
#include "half.h"
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#define FILE_NAME LICHEN_TEST_OUTPUT "/rig"

static void must(bool good, const struct fault *fault)
{
    if (!good)
        fail_msg("%s", fault->text);
}

void rig_init(struct rig *rig, uint32_t width, uint64_t seed)
{
    memset(rig, 0, sizeof *rig);
    rig->seed = seed;
    rig->width = width;
    plan_init(&rig->plan);
    rig_tensor(rig, "embedding", DTYPE_F32, RIG_VOCAB, width);
    rig_tensor(rig, "head", DTYPE_F32, RIG_VOCAB, width);
}

/* Random bytes, but the half scales at the offsets of the type are small numbers. */
static void block_fill(uint64_t *seed, enum dtype dtype, uint8_t *block, size_t size)
{
    for (size_t i = 0; i < size; i++)
        block[i] = (uint8_t)(test_random(seed) >> 32);
    size_t at[2] = {0, 2}, count = 1;
    if (dtype == DTYPE_Q4_1 || dtype == DTYPE_Q5_1 || dtype == DTYPE_Q4_K || dtype == DTYPE_Q5_K)
        count = 2;
    if (dtype == DTYPE_Q6_K)
        at[0] = size - 2;
    if (dtype == DTYPE_F32)
        count = 0;
    for (size_t i = 0; i < count; i++) {
        uint16_t scale = half_from_float(0.01f * test_uniform(seed));
        memcpy(block + at[i], &scale, sizeof scale);
    }
    if (dtype == DTYPE_F32) {
        float value = test_uniform(seed);
        memcpy(block, &value, sizeof value);
    }
    if (dtype == DTYPE_BF16) {
        uint16_t bits = bfloat_from_float(test_uniform(seed));
        memcpy(block, &bits, sizeof bits);
    }
}

uint32_t rig_tensor(struct rig *rig, const char *name, enum dtype dtype, uint32_t rows,
                    uint32_t cols)
{
    const struct dtype_info *info = dtype_find(dtype);
    uint32_t index = rig->tensor_count++;
    size_t blocks = (size_t)rows * cols / info->block_weights;
    assert_true(index < RIG_TENSOR_MAX);
    assert_int_equal(cols % info->block_weights, 0);
    snprintf(rig->tensors[index].name, sizeof rig->tensors[index].name, "%s", name);
    rig->tensors[index].rows = rows;
    rig->tensors[index].cols = cols;
    rig->tensors[index].dtype = dtype;
    rig->tensors[index].bytes = malloc(blocks * info->block_size);
    rig->tensors[index].values = malloc((size_t)rows * cols * sizeof(float));
    assert_true(rig->tensors[index].bytes && rig->tensors[index].values);
    for (size_t i = 0; i < blocks; i++)
        block_fill(&rig->seed, dtype, rig->tensors[index].bytes + i * info->block_size,
                   info->block_size);
    info->decode(rig->tensors[index].bytes, rig->tensors[index].values, blocks);
    return index;
}

static size_t tensor_size(const struct rig *rig, uint32_t index)
{
    const struct dtype_info *info = dtype_find(rig->tensors[index].dtype);
    return (size_t)rig->tensors[index].rows * rig->tensors[index].cols / info->block_weights *
           info->block_size;
}

static void rig_write(const struct rig *rig, const char *path)
{
    struct fault fault = {0};
    struct gguf_writer *writer;
    must(gguf_writer_create(&writer, &fault), &fault);
    must(gguf_put_text(writer, "general.architecture", "rig", 3, &fault), &fault);
    for (uint32_t i = 0; i < rig->tensor_count; i++) {
        uint64_t dims[2] = {rig->tensors[i].cols, rig->tensors[i].rows};
        must(gguf_put_tensor(writer, rig->tensors[i].name, rig->tensors[i].dtype, 2, dims, &fault),
             &fault);
    }
    must(gguf_writer_begin(writer, path, &fault), &fault);
    for (uint32_t i = 0; i < rig->tensor_count; i++)
        must(gguf_writer_write(writer, rig->tensors[i].bytes, tensor_size(rig, i), &fault), &fault);
    must(gguf_writer_finish(writer, &fault), &fault);
    gguf_writer_destroy(writer);
}

void rig_plan(struct rig *rig)
{
    struct fault fault = {0};
    char path[512];
    snprintf(path, sizeof path, FILE_NAME "-%ld.gguf", (long)getpid());
    rig_write(rig, path);
    must(gguf_open(path, &rig->gguf, &fault), &fault);
    remove(path);
    rig->plan.vocab = RIG_VOCAB;
    rig->plan.dim = rig->width;
    struct step step;
    step_init(&step, OP_EMBED, PLAN_NONE);
    step.weight[0] = rig_weight(rig, 0);
    step.embed.scale = 1;
    step.output = rig->x = rig_buffer(rig, "x", rig->width);
    rig_step(rig, &step);
}

struct weight_ref rig_weight(struct rig *rig, uint32_t tensor)
{
    struct fault fault = {0};
    uint32_t weight =
        plan_weight(&rig->plan, gguf_tensor_find(rig->gguf, rig->tensors[tensor].name), &fault);
    must(weight != PLAN_NONE, &fault);
    return (struct weight_ref){weight, 0, rig->tensors[tensor].rows};
}

uint32_t rig_buffer(struct rig *rig, const char *name, uint32_t width)
{
    struct fault fault = {0};
    uint32_t buffer = plan_buffer(&rig->plan, name, width, ROWS_TOKENS, &fault);
    must(buffer != PLAN_NONE, &fault);
    return buffer;
}

uint32_t rig_step(struct rig *rig, const struct step *step)
{
    struct fault fault = {0};
    must(plan_step(&rig->plan, step, &fault), &fault);
    return rig->plan.step_count - 1;
}

void rig_layers(struct rig *rig, uint32_t count, const struct kv_layer *layers)
{
    rig->plan.layers = arena_alloc(&rig->plan.arena, count, sizeof *layers);
    assert_non_null(rig->plan.layers);
    memcpy(rig->plan.layers, layers, count * sizeof *layers);
    rig->plan.layer_count = count;
}

static void rig_head(struct rig *rig)
{
    struct fault fault = {0};
    struct step step;
    step_init(&step, OP_SELECT, PLAN_NONE);
    step.input[0] = rig->x;
    step.output = plan_buffer(&rig->plan, "last", rig->width, ROWS_OUTPUTS, &fault);
    rig_step(rig, &step);
    uint32_t last = step.output;
    step_init(&step, OP_MATMUL, PLAN_NONE);
    step.input[0] = last;
    step.weight[0] = rig_weight(rig, 1);
    step.output = plan_buffer(&rig->plan, "logits", RIG_VOCAB, ROWS_OUTPUTS, &fault);
    rig_step(rig, &step);
    rig->plan.logits = step.output;
}

void rig_ready(struct rig *rig, const struct rig_options *options)
{
    struct fault fault = {0};
    rig_head(rig);
    must(plan_finish(&rig->plan, &fault), &fault);
    must(ref_weights_load(&rig->plan, rig->gguf, &rig->weights, &fault), &fault);
    must(parallel_create(options->threads, &rig->parallel, &fault), &fault);
    struct exec_ref_options ref = {
        .plan = &rig->plan,
        .gguf = rig->gguf,
        .parallel = rig->parallel,
        .context = options->context,
        .batch_max = options->batch_max,
        .outputs_max = options->batch_max,
        .kv = options->kv,
    };
    must(exec_ref_create(&ref, rig->weights, &rig->exec, &fault), &fault);
}

void rig_run(struct rig *rig, const struct batch *batch)
{
    struct fault fault = {0};
    must(exec_run(rig->exec, batch, NULL, &fault), &fault);
}

void rig_peek(struct rig *rig, uint32_t step, float *dst, size_t count)
{
    struct fault fault = {0};
    must(rig->exec->methods->peek(rig->exec, step, dst, count, &fault), &fault);
}

void rig_close(struct rig *rig)
{
    exec_destroy(rig->exec);
    parallel_destroy(rig->parallel);
    ref_weights_free(rig->weights);
    plan_free(&rig->plan);
    gguf_close(rig->gguf);
    for (uint32_t i = 0; i < rig->tensor_count; i++) {
        free(rig->tensors[i].bytes);
        free(rig->tensors[i].values);
    }
}

double rig_product(const struct rig *rig, uint32_t tensor, const float *x, double *y)
{
    uint32_t rows = rig->tensors[tensor].rows, cols = rig->tensors[tensor].cols;
    double largest = 0;
    for (uint32_t r = 0; r < rows; r++) {
        double sum = 0;
        y[r] = 0;
        for (uint32_t c = 0; c < cols; c++) {
            double term = (double)rig->tensors[tensor].values[(size_t)r * cols + c] * (double)x[c];
            y[r] += term;
            sum += fabs(term);
        }
        largest = fmax(largest, sum);
    }
    return largest;
}

void rig_compare(const char *what, const float *found, const double *expected, size_t count,
                 double bound)
{
    for (size_t i = 0; i < count; i++) {
        double limit = bound * fmax(1, fabs(expected[i]));
        if (!(fabs((double)found[i] - expected[i]) <= limit))
            fail_msg("%s[%zu] is %.9g, expected %.9g", what, i, (double)found[i], expected[i]);
    }
}
