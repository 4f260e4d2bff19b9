/* golden.c: reading golden files and comparing an executor with them. */
#include "testing.h"

#include "golden.h"
#include "platform.h"
#include "reader.h"
#include <math.h>
#include <stdlib.h>

static const char magic[] = "lichen golden 1\n";

/* ---- reading ---- */

/* Items of 4 bytes in place; the format keeps them aligned. */
static const void *words(struct reader *reader, uint64_t count)
{
    const uint8_t *bytes = reader_bytes(reader, count * 4, "words");
    assert_non_null(bytes);
    assert_int_equal((uintptr_t)bytes % 4, 0);
    return bytes;
}

static void row_read(struct golden *golden, struct reader *reader, struct golden_row *row)
{
    uint64_t bits = reader_u64(reader, "total");
    memcpy(&row->total, &bits, sizeof row->total);
    row->top_count = reader_u32(reader, "top_count");
    row->ids = words(reader, row->top_count);
    row->log_p = words(reader, row->top_count);
    row->bucket_log_p = words(reader, golden->bucket_count);
}

static void prompt_read(struct golden *golden, struct reader *reader, struct golden_prompt *prompt)
{
    prompt->token_count = reader_u32(reader, "token_count");
    prompt->row_count = reader_u32(reader, "row_count");
    prompt->tokens = words(reader, prompt->token_count);
    prompt->greedy = words(reader, golden->greedy_count);
    assert_true(prompt->row_count <= prompt->token_count);
    prompt->rows = calloc(prompt->row_count, sizeof *prompt->rows);
    assert_non_null(prompt->rows);
    for (uint32_t i = 0; i < prompt->row_count; i++)
        row_read(golden, reader, &prompt->rows[i]);
}

void golden_open(struct golden *golden, const char *path)
{
    struct fault fault = {0};
    struct reader reader;
    size_t size;
    memset(golden, 0, sizeof *golden);
    if (!file_load(path, 1 << 24, &golden->bytes, &size, &fault))
        fail_msg("%s", fault.text);
    reader_init(&reader, golden->bytes, size, &fault);
    const uint8_t *head = reader_bytes(&reader, sizeof magic - 1, "magic");
    assert_non_null(head);
    assert_memory_equal(head, magic, sizeof magic - 1);
    golden->model_size = reader_u64(&reader, "model_size");
    golden->vocab = reader_u32(&reader, "vocab");
    golden->prompt_count = reader_u32(&reader, "prompt_count");
    golden->bucket_count = reader_u32(&reader, "bucket_count");
    golden->greedy_count = reader_u32(&reader, "greedy_count");
    golden->prompts = calloc(golden->prompt_count, sizeof *golden->prompts);
    assert_non_null(golden->prompts);
    for (uint32_t i = 0; i < golden->prompt_count; i++)
        prompt_read(golden, &reader, &golden->prompts[i]);
    assert_false(reader.failed);
    assert_int_equal(reader_left(&reader), 0);
}

void golden_close(struct golden *golden)
{
    for (uint32_t i = 0; i < golden->prompt_count; i++)
        free(golden->prompts[i].rows);
    free(golden->prompts);
    free(golden->bytes);
}

static bool model_at(const struct golden *golden, const char *path)
{
    struct file *file;
    if (!file_open(path, &file, NULL))
        return false;
    uint64_t size = file_size(file);
    file_close(file);
    if (size != golden->model_size)
        print_message("%s is another file: %llu bytes, the golden is of %llu\n", path,
                      (unsigned long long)size, (unsigned long long)golden->model_size);
    return size == golden->model_size;
}

bool golden_model(const struct golden *golden, const char *name, char *path, size_t size)
{
    test_model_path(name, path, size);
    return model_at(golden, path);
}

/* ---- comparing ---- */

static double log_sum(const float *logits, uint32_t count)
{
    double largest = -INFINITY, sum = 0;
    for (uint32_t i = 0; i < count; i++)
        largest = fmax(largest, (double)logits[i]);
    for (uint32_t i = 0; i < count; i++)
        sum += exp((double)logits[i] - largest);
    return largest + log(sum);
}

/* q summed by bucket over the tokens that the row does not keep one by one. */
static double *bucket_sums(const struct golden *golden, const struct golden_row *row,
                           const float *logits, double total)
{
    double *sums = calloc(golden->bucket_count, sizeof *sums);
    bool *kept = calloc(golden->vocab, sizeof *kept);
    assert_true(sums && kept);
    for (uint32_t i = 0; i < row->top_count; i++)
        kept[row->ids[i]] = true;
    for (uint32_t i = 0; i < golden->vocab; i++)
        if (!kept[i])
            sums[i % golden->bucket_count] += exp((double)logits[i] - total);
    free(kept);
    return sums;
}

/* The kept log-probabilities are rounded to float32: their sum is a little off 1, which would enter
 * the KL linearly; divided by the sum it enters squared. */
static double golden_sum(const struct golden *golden, const struct golden_row *row)
{
    double sum = 0;
    for (uint32_t i = 0; i < row->top_count; i++)
        sum += exp((double)row->log_p[i]);
    for (uint32_t i = 0; i < golden->bucket_count; i++)
        sum += exp((double)row->bucket_log_p[i]);
    return sum;
}

double golden_kl(const struct golden *golden, const struct golden_row *row, const float *logits)
{
    double total = log_sum(logits, golden->vocab);
    double *rest = bucket_sums(golden, row, logits, total);
    double shift = log(golden_sum(golden, row)), kl = 0;
    for (uint32_t i = 0; i < row->top_count; i++) {
        double log_p = (double)row->log_p[i] - shift;
        kl += exp(log_p) * (log_p - ((double)logits[row->ids[i]] - total));
    }
    for (uint32_t i = 0; i < golden->bucket_count; i++) {
        double log_p = (double)row->bucket_log_p[i] - shift;
        if (log_p > -INFINITY)
            kl += exp(log_p) * (log_p - log(rest[i]));
    }
    free(rest);
    return kl;
}

static uint32_t best(const float *logits, uint32_t count)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < count; i++)
        if (logits[i] > logits[best])
            best = i;
    return best;
}

static double error_of(const struct golden *golden, const struct golden_row *row,
                       const float *logits)
{
    double total = log_sum(logits, golden->vocab), worst = 0;
    for (uint32_t i = 0; i < row->top_count && row->log_p[i] >= -9.21f; i++)
        worst = fmax(worst, fabs((double)row->log_p[i] - ((double)logits[row->ids[i]] - total)));
    return worst;
}

static void stats_add(const struct golden *golden, const struct golden_row *row,
                      const float *logits, struct golden_stats *stats)
{
    double kl = golden_kl(golden, row, logits);
    stats->rows++;
    stats->kl_mean += (kl - stats->kl_mean) / stats->rows;
    stats->kl_worst = fmax(stats->kl_worst, kl);
    stats->error_worst = fmax(stats->error_worst, error_of(golden, row, logits));
    stats->top_changed += best(logits, golden->vocab) != row->ids[0];
}

static void run_or_fail(struct exec *exec, const struct batch *batch)
{
    struct fault fault = {0};
    if (!exec_run(exec, batch, NULL, &fault))
        fail_msg("%s", fault.text);
}

/* The logits [outputs, vocab] of the prompt's last tokens. Runs before the last ones want none, and
 * the wanted ones may lie in several runs. */
static void prompt_run(struct exec *exec, const struct golden_prompt *prompt, uint32_t outputs,
                       uint32_t chunk, float *logits)
{
    struct fault fault = {0};
    uint32_t first_output = prompt->token_count - outputs;
    for (uint32_t at = 0; at < prompt->token_count; at += chunk) {
        uint32_t left = prompt->token_count - at, count = left < chunk ? left : chunk;
        uint32_t end = at + count, wanted = end > first_output ? end - first_output : 0;
        struct batch batch = {.tokens = prompt->tokens + at, .count = count, .position = at};
        batch.outputs = wanted < count ? wanted : count;
        run_or_fail(exec, &batch);
        if (batch.outputs == 0)
            continue;
        size_t row = end - batch.outputs - first_output;
        if (!exec->methods->logits(exec, 0, batch.outputs, logits + row * exec->plan->vocab,
                                   &fault))
            fail_msg("%s", fault.text);
    }
}

void golden_compare(const struct golden *golden, struct exec *exec, uint32_t prompt_count,
                    uint32_t chunk, struct golden_stats *stats)
{
    memset(stats, 0, sizeof *stats);
    assert_int_equal(exec->plan->vocab, golden->vocab);
    for (uint32_t i = 0; i < prompt_count && i < golden->prompt_count; i++) {
        const struct golden_prompt *prompt = &golden->prompts[i];
        float *logits = calloc((size_t)prompt->row_count * golden->vocab, sizeof *logits);
        assert_non_null(logits);
        prompt_run(exec, prompt, prompt->row_count, chunk, logits);
        for (uint32_t j = 0; j < prompt->row_count; j++)
            stats_add(golden, &prompt->rows[j], logits + (size_t)j * golden->vocab, stats);
        free(logits);
    }
}

static bool prompt_greedy(struct exec *exec, const struct golden_prompt *prompt, uint32_t count)
{
    struct fault fault = {0};
    struct batch batch = {.tokens = prompt->tokens, .count = prompt->token_count, .outputs = 1};
    int32_t id;
    float logit;
    for (uint32_t i = 0; i < count; i++) {
        run_or_fail(exec, &batch);
        if (!exec->methods->top(exec, 0, 1, &id, &logit, &fault))
            fail_msg("%s", fault.text);
        if (id != prompt->greedy[i])
            return false;
        batch = (struct batch){
            .tokens = &id, .count = 1, .position = prompt->token_count + i, .outputs = 1};
    }
    return true;
}

uint32_t golden_greedy(const struct golden *golden, struct exec *exec, uint32_t prompt_count)
{
    uint32_t same = 0;
    for (uint32_t i = 0; i < prompt_count && i < golden->prompt_count; i++)
        same += prompt_greedy(exec, &golden->prompts[i], golden->greedy_count);
    return same;
}
