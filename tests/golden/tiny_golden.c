/* tiny_golden.c: see tiny_golden.h. */
#include "tiny_golden.h"

#include "testing.h"

#include "platform.h"
#include "reader.h"
#include <math.h>
#include <stdlib.h>

static void load(const char *path, char **bytes, size_t *size)
{
    struct fault fault = {0};
    if (!file_load(path, 1 << 24, bytes, size, &fault))
        fail_msg("%s", fault.text);
}

static void model_read(const struct tiny_golden *golden, struct reader *reader,
                       struct tiny_golden_model *model)
{
    const uint8_t *name = reader_bytes(reader, 32, "name");
    assert_non_null(name);
    memcpy(model->name, name, 32);
    model->file_size = reader_u64(reader, "file_size");
    model->sum = reader_u64(reader, "sum");
    uint64_t size = 4ULL * golden->row_count * golden->vocab;
    model->logits = (const void *)reader_bytes(reader, size, "logits");
}

void tiny_golden_open(struct tiny_golden *golden, const char *path)
{
    struct reader reader;
    size_t size;
    memset(golden, 0, sizeof *golden);
    load(path, &golden->bytes, &size);
    reader_init(&reader, golden->bytes, size, NULL);
    const uint8_t *magic = reader_bytes(&reader, 16, "magic");
    assert_non_null(magic);
    assert_memory_equal(magic, "lichen tiny 1\n\0\0", 16);
    golden->model_count = reader_u32(&reader, "model_count");
    golden->token_count = reader_u32(&reader, "token_count");
    golden->row_count = reader_u32(&reader, "row_count");
    golden->vocab = reader_u32(&reader, "vocab");
    golden->tokens = (const void *)reader_bytes(&reader, golden->token_count * 4ULL, "tokens");
    assert_true(golden->model_count <= sizeof golden->models / sizeof *golden->models);
    for (uint32_t i = 0; i < golden->model_count; i++)
        model_read(golden, &reader, &golden->models[i]);
    assert_false(reader.failed);
    assert_int_equal(reader_left(&reader), 0);
}

void tiny_golden_close(struct tiny_golden *golden)
{
    free(golden->bytes);
}

const struct tiny_golden_model *tiny_golden_find(const struct tiny_golden *golden, const char *name)
{
    for (uint32_t i = 0; i < golden->model_count; i++)
        if (strcmp(golden->models[i].name, name) == 0)
            return &golden->models[i];
    fail_msg("%s has no golden logits: run make_tiny.py", name);
    return NULL;
}

void tiny_golden_check(const struct tiny_golden_model *model, const char *path)
{
    char *bytes;
    size_t size;
    uint64_t sum = 0xcbf29ce484222325;
    load(path, &bytes, &size);
    for (size_t i = 0; i < size; i++)
        sum = (sum ^ (uint8_t)bytes[i]) * 0x100000001b3;
    free(bytes);
    assert_int_equal(size, model->file_size);
    assert_int_equal(sum, model->sum);
}

double tiny_golden_error(const struct tiny_golden *golden, const struct tiny_golden_model *model,
                         const float *logits)
{
    size_t skipped = (size_t)(golden->token_count - golden->row_count) * golden->vocab;
    double worst = 0, largest = 1;
    for (uint32_t i = 0; i < golden->row_count * golden->vocab; i++) {
        double error = fabs((double)logits[skipped + i] - (double)model->logits[i]);
        if (!(error <= worst)) /* also takes NaN */
            worst = error;
        largest = fmax(largest, fabs((double)model->logits[i]));
    }
    return worst / largest;
}
