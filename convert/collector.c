/* collector.c: sums of activations in memory; collector_file.c writes them. */
#include "collector_private.h"
#include "platform.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY_DEFAULT (2ULL << 30)

static bool no_memory(struct fault *fault, uint64_t size)
{
    return fault_set(fault, FAULT_MEMORY, "no memory for %llu bytes of activation statistics",
                     (unsigned long long)size);
}

/* ---- inputs: one for all weights that share a source or a name ---- */

static uint32_t input_of(const struct collector *collector, uint32_t weight)
{
    const struct collector_weight *weights = collector->options.weights;
    for (uint32_t i = 0; i < weight; i++)
        if (weights[i].source == weights[weight].source ||
            strcmp(weights[i].name, weights[weight].name) == 0)
            return collector->input_of[i];
    return collector->input_count;
}

static bool input_add(struct collector *collector, uint32_t weight, struct fault *fault)
{
    struct input *input = &collector->inputs[collector->input_count++];
    uint32_t columns = collector->options.weights[weight].columns;
    *input = (struct input){.weight = weight, .columns = columns};
    input->squares = calloc(columns, sizeof *input->squares);
    return input->squares || no_memory(fault, columns * sizeof *input->squares);
}

/* Two sources of one name (a shared layer) count as one input, so a second source of it is not left
 * out: only the first weight of a source adds. */
static bool is_first(const struct collector *collector, uint32_t weight)
{
    const struct collector_weight *weights = collector->options.weights;
    for (uint32_t i = 0; i < weight; i++)
        if (weights[i].source == weights[weight].source)
            return false;
    return true;
}

static bool inputs_find(struct collector *collector, struct fault *fault)
{
    uint32_t count = collector->options.weight_count;
    collector->inputs = calloc(count ? count : 1, sizeof *collector->inputs);
    collector->input_of = calloc(count ? count : 1, sizeof *collector->input_of);
    collector->first = calloc(count ? count : 1, sizeof *collector->first);
    if (!collector->inputs || !collector->input_of || !collector->first)
        return no_memory(fault, count * sizeof *collector->inputs);
    for (uint32_t i = 0; i < count; i++) {
        collector->input_of[i] = input_of(collector, i);
        collector->first[i] = is_first(collector, i);
        if (collector->input_of[i] == collector->input_count && !input_add(collector, i, fault))
            return false;
        uint32_t columns = collector->inputs[collector->input_of[i]].columns;
        if (columns != collector->options.weights[i].columns)
            return fault_set(fault, FAULT_FORMAT, "%s has %u columns, its input %u",
                             collector->options.weights[i].name,
                             collector->options.weights[i].columns, columns);
    }
    return true;
}

/* The inputs in their order, as many a pass as fit. */
static void passes_cut(struct collector *collector)
{
    uint64_t budget = collector->options.memory, used = 0;
    uint32_t pass = 0;
    for (uint32_t i = 0; i < collector->input_count; i++) {
        uint64_t size = triangle_count(collector->inputs[i].columns) * sizeof(float);
        if (used > 0 && size > budget - (used < budget ? used : budget)) {
            pass++;
            used = 0;
        }
        collector->inputs[i].pass = pass;
        used += size;
    }
    collector->passes = collector->options.hessian ? pass + 1 : 1;
}

bool collector_create(const struct collector_options *options, struct collector **out,
                      struct fault *fault)
{
    struct collector *collector = calloc(1, sizeof *collector);
    if (!(*out = collector))
        return no_memory(fault, sizeof *collector);
    collector->options = *options;
    if (!collector->options.memory)
        collector->options.memory = MEMORY_DEFAULT;
    uint32_t threads = options->threads ? options->threads : processor_count();
    bool created =
        parallel_create(threads, &collector->parallel, fault) && inputs_find(collector, fault);
    if (created)
        passes_cut(collector);
    if (!created) {
        collector_destroy(collector);
        *out = NULL;
    }
    return created;
}

void collector_destroy(struct collector *collector)
{
    if (!collector)
        return;
    for (uint32_t i = 0; i < collector->input_count; i++) {
        free(collector->inputs[i].squares);
        free(collector->inputs[i].moments);
    }
    gguf_writer_destroy(collector->writer);
    parallel_destroy(collector->parallel);
    free(collector->inputs);
    free(collector->input_of);
    free(collector->first);
    free(collector->packed);
    free(collector);
}

/* ---- passes ---- */

uint32_t collector_passes(const struct collector *collector)
{
    return collector->passes;
}

bool collector_pass_begin(struct collector *collector, uint32_t pass, struct fault *fault)
{
    collector->pass = pass;
    for (uint32_t i = 0; i < collector->input_count; i++) {
        struct input *input = &collector->inputs[i];
        uint64_t count = triangle_count(input->columns);
        if (!collector->options.hessian || input->pass != pass)
            continue;
        input->moments = calloc((size_t)count, sizeof *input->moments);
        if (!input->moments)
            return no_memory(fault, count * sizeof *input->moments);
    }
    return true;
}

bool collector_wants(const struct collector *collector, uint32_t weight)
{
    for (uint32_t i = weight; i < collector->options.weight_count; i++)
        if (collector->pass == 0 ||
            collector->inputs[collector->input_of[i]].pass == collector->pass)
            return true;
    return false;
}

/* ---- sums ---- */

struct addition {
    struct input *input;
    const float *inputs; /* [tokens, columns] */
    float *packed;       /* [panels][tokens][MOMENT_PANEL], zeros behind the last column */
    uint32_t tokens, panels;
};

static uint32_t panel_width(const struct addition *addition, uint32_t panel)
{
    uint32_t left = addition->input->columns - panel * MOMENT_PANEL;
    return left < MOMENT_PANEL ? left : MOMENT_PANEL;
}

static void pack_panel(void *context, uint32_t panel, uint32_t thread)
{
    const struct addition *addition = context;
    (void)thread;
    uint32_t width = panel_width(addition, panel);
    float *dst = addition->packed + (size_t)panel * addition->tokens * MOMENT_PANEL;
    const float *src = addition->inputs + (size_t)panel * MOMENT_PANEL;
    for (uint32_t t = 0; t < addition->tokens; t++, dst += MOMENT_PANEL)
        for (uint32_t i = 0; i < MOMENT_PANEL; i++)
            dst[i] = i < width ? src[(size_t)t * addition->input->columns + i] : 0;
}

/* Rows of the triangle that belong to one panel. */
static void add_panel(void *context, uint32_t panel, uint32_t thread)
{
    static moment_tile *const sums[INSTRUCTION_SET_COUNT] = INSTRUCTION_SET_TABLE(moment_tile_sum);
    const struct addition *addition = context;
    (void)thread;
    uint32_t columns = addition->input->columns, first = panel * MOMENT_PANEL;
    size_t stride = (size_t)addition->tokens * MOMENT_PANEL;
    for (uint32_t other = panel; other < addition->panels; other++) {
        float tile[MOMENT_PANEL][MOMENT_PANEL];
        sums[instruction_set_best()](addition->packed + panel * stride,
                                     addition->packed + other * stride, addition->tokens, tile);
        for (uint32_t i = 0; i < panel_width(addition, panel); i++) {
            float *row = addition->input->moments + triangle_row(columns, first + i);
            uint32_t column = other * MOMENT_PANEL;
            for (uint32_t j = 0; j < panel_width(addition, other); j++)
                if (column + j >= first + i)
                    row[column + j - first - i] += tile[i][j];
        }
    }
}

static void add_squares(void *context, uint32_t panel, uint32_t thread)
{
    const struct addition *addition = context;
    (void)thread;
    double *squares = addition->input->squares + (size_t)panel * MOMENT_PANEL;
    const float *src = addition->inputs + (size_t)panel * MOMENT_PANEL;
    for (uint32_t t = 0; t < addition->tokens; t++)
        for (uint32_t i = 0; i < panel_width(addition, panel); i++) {
            double value = (double)src[(size_t)t * addition->input->columns + i];
            squares[i] += value * value;
        }
}

static bool squares_check(const struct collector *collector, uint32_t weight, struct fault *fault)
{
    const struct input *input = &collector->inputs[collector->input_of[weight]];
    for (uint32_t i = 0; i < input->columns; i++)
        if (!isfinite(input->squares[i]))
            return fault_set(fault, FAULT_FORMAT,
                             "%s: column %u of its input is not a finite number; the model's "
                             "weights are damaged, or they overflow on this text",
                             collector->options.weights[weight].name, i);
    return true;
}

static bool add_moments(struct collector *collector, struct addition *addition, struct fault *fault)
{
    size_t count = (size_t)addition->panels * addition->tokens * MOMENT_PANEL;
    if (count > collector->packed_count) {
        free(collector->packed);
        collector->packed_count = 0;
        collector->packed = calloc(count, sizeof *collector->packed);
        if (!collector->packed)
            return no_memory(fault, count * sizeof *collector->packed);
        collector->packed_count = count;
    }
    addition->packed = collector->packed;
    parallel_for(collector->parallel, addition->panels, pack_panel, addition);
    parallel_for(collector->parallel, addition->panels, add_panel, addition);
    return true;
}

bool collector_add(struct collector *collector, uint32_t weight, const float *inputs,
                   uint32_t tokens, struct fault *fault)
{
    struct input *input = &collector->inputs[collector->input_of[weight]];
    struct addition addition = {
        .input = input,
        .inputs = inputs,
        .tokens = tokens,
        .panels = input->columns / MOMENT_PANEL + (input->columns % MOMENT_PANEL != 0),
    };
    if (!collector->first[weight] || tokens == 0)
        return true;
    if (collector->pass == 0) {
        input->tokens += tokens;
        parallel_for(collector->parallel, addition.panels, add_squares, &addition);
        if (!squares_check(collector, weight, fault))
            return false;
    }
    return !input->moments || add_moments(collector, &addition, fault);
}

void collector_importance(const struct collector *collector, uint32_t weight, float *dst)
{
    const struct input *input = &collector->inputs[collector->input_of[weight]];
    for (uint32_t i = 0; i < input->columns; i++)
        dst[i] = (float)(input->tokens ? input->squares[i] / (double)input->tokens : 0);
}

void collector_set_sensitivity(struct collector *collector, const char *const *names,
                               const float *values, uint32_t count)
{
    collector->sensitive = names;
    collector->sensitivity = values;
    collector->sensitive_count = count;
}
