/* collector_file.c: the file of a collector: a GGUF that llama.cpp reads as an imatrix, with the
 * Hessians as further tensors (calibration.h has the layout). */
#include "collector_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_SIZE = 128 };

/* The first of its name: a weight may stand in the list once for each input. */
static bool is_listed(const struct collector *collector, uint32_t weight)
{
    for (uint32_t i = 0; i < weight; i++)
        if (strcmp(collector->options.weights[i].name, collector->options.weights[weight].name) ==
            0)
            return false;
    return true;
}

static bool put_name(const char *weight, const char *suffix, uint64_t count,
                     struct gguf_writer *writer, struct fault *fault)
{
    char name[NAME_SIZE];
    snprintf(name, sizeof name, "%s.%s", weight, suffix);
    return gguf_put_tensor(writer, name, DTYPE_F32, 1, &count, fault);
}

static bool put_tensors(const struct collector *collector, struct gguf_writer *writer,
                        struct fault *fault)
{
    const struct collector_weight *weights = collector->options.weights;
    for (uint32_t i = 0; i < collector->options.weight_count; i++)
        if (is_listed(collector, i) &&
            (!put_name(weights[i].name, "in_sum2", weights[i].columns, writer, fault) ||
             !put_name(weights[i].name, "counts", 1, writer, fault)))
            return false;
    for (uint32_t i = 0; collector->options.hessian && i < collector->input_count; i++) {
        const struct input *input = &collector->inputs[i];
        if (!put_name(weights[input->weight].name, "hessian", triangle_count(input->columns),
                      writer, fault))
            return false;
    }
    return true;
}

static struct gguf_string text_of(const char *text)
{
    return (struct gguf_string){text, strlen(text)};
}

/* Names as an array of strings. */
static bool put_texts(const char *key, const char *const *texts, uint32_t count,
                      struct gguf_writer *writer, struct fault *fault)
{
    struct gguf_string *strings = calloc((size_t)count + 1, sizeof *strings);
    if (!strings)
        return fault_set(fault, FAULT_MEMORY, "no memory for %u names", count);
    for (uint32_t i = 0; i < count; i++)
        strings[i] = text_of(texts[i]);
    bool put = gguf_put_array(writer, key, GGUF_STRING, strings, count, fault);
    free(strings);
    return put;
}

/* Weights and their inputs, in parallel. */
static bool put_table(const struct collector *collector, struct gguf_writer *writer,
                      struct fault *fault)
{
    const struct collector_weight *weights = collector->options.weights;
    uint32_t count = 0, capacity = collector->options.weight_count;
    const char **names = calloc(2 * (size_t)capacity + 1, sizeof *names);
    if (!names)
        return fault_set(fault, FAULT_MEMORY, "no memory for a table of %u weights", capacity);
    const char **inputs = names + capacity;
    for (uint32_t i = 0; i < capacity; i++)
        if (is_listed(collector, i)) {
            names[count] = weights[i].name;
            inputs[count++] = weights[collector->inputs[collector->input_of[i]].weight].name;
        }
    bool put = put_texts("lichen.calibration.weights", names, count, writer, fault) &&
               put_texts("lichen.calibration.inputs", inputs, count, writer, fault);
    free(names);
    return put;
}

static bool put_sensitivity(const struct collector *collector, struct gguf_writer *writer,
                            struct fault *fault)
{
    return collector->sensitive_count == 0 ||
           (put_texts("lichen.calibration.sensitive", collector->sensitive,
                      collector->sensitive_count, writer, fault) &&
            gguf_put_array(writer, "lichen.calibration.sensitivity", GGUF_F32,
                           collector->sensitivity, collector->sensitive_count, fault));
}

static bool file_begin(struct collector *collector, const char *path, struct fault *fault)
{
    const struct collector_options *options = &collector->options;
    if (!gguf_writer_create(&collector->writer, fault))
        return false;
    struct gguf_writer *writer = collector->writer;
    return gguf_put_text(writer, "general.type", "imatrix", strlen("imatrix"), fault) &&
           put_texts("imatrix.datasets", options->texts, options->text_count, writer, fault) &&
           gguf_put_u32(writer, "imatrix.chunk_count", options->chunk_count, fault) &&
           gguf_put_u32(writer, "imatrix.chunk_size", options->chunk_size, fault) &&
           put_table(collector, writer, fault) && put_sensitivity(collector, writer, fault) &&
           put_tensors(collector, writer, fault) && gguf_writer_begin(writer, path, fault);
}

/* The sums of squares and how many they are: after the first pass. */
static bool write_squares(struct collector *collector, struct fault *fault)
{
    for (uint32_t i = 0; i < collector->options.weight_count; i++) {
        const struct input *input = &collector->inputs[collector->input_of[i]];
        float tokens = (float)input->tokens;
        float *squares = calloc((size_t)input->columns + 1, sizeof *squares);
        if (!squares)
            return fault_set(fault, FAULT_MEMORY, "no memory for %u columns", input->columns);
        for (uint32_t j = 0; j < input->columns; j++)
            squares[j] = (float)input->squares[j];
        bool written = !is_listed(collector, i) ||
                       (gguf_writer_write(collector->writer, squares,
                                          input->columns * sizeof *squares, fault) &&
                        gguf_writer_write(collector->writer, &tokens, sizeof tokens, fault));
        free(squares);
        if (!written)
            return false;
    }
    return true;
}

static bool write_moments(struct collector *collector, struct input *input, struct fault *fault)
{
    uint64_t count = triangle_count(input->columns);
    double inverse = input->tokens ? 1 / (double)input->tokens : 0;
    for (uint64_t i = 0; i < count; i++)
        input->moments[i] = (float)((double)input->moments[i] * inverse);
    bool written = gguf_writer_write(collector->writer, input->moments,
                                     (size_t)count * sizeof *input->moments, fault);
    free(input->moments);
    input->moments = NULL;
    return written;
}

bool collector_pass_end(struct collector *collector, const char *path, struct fault *fault)
{
    if (collector->pass == 0 &&
        (!file_begin(collector, path, fault) || !write_squares(collector, fault)))
        return false;
    for (uint32_t i = 0; i < collector->input_count; i++)
        if (collector->inputs[i].moments && !write_moments(collector, &collector->inputs[i], fault))
            return false;
    return true;
}

bool collector_finish(struct collector *collector, struct fault *fault)
{
    return gguf_writer_finish(collector->writer, fault);
}
