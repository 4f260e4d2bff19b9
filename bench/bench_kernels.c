/* bench_kernels.c: measuring and showing the times of kernels. */
#include "bench_kernels.h"
#include "bench_speed.h"
#include <stdlib.h>
#include <string.h>

/* ---- measuring ---- */

static bool same_groups(const struct bench_kernels *kernels, const struct lichen_kernels *again)
{
    bool same = kernels->count == again->count;
    for (size_t i = 0; same && i < again->count; i++)
        same = strcmp(kernels->items[i].what.kernel, again->items[i].kernel) == 0 &&
               kernels->items[i].what.dispatches == again->items[i].dispatches;
    return same;
}

/* values: [count + 1][repeats]; the last row is the empty pair's. */
static bool repeat(struct lichen_session *session, const struct bench_kernels *kernels,
                   uint32_t repeats, double *values, struct fault *fault)
{
    for (uint32_t i = 0; i < repeats; i++) {
        struct lichen_kernels again;
        if (!lichen_kernels(session, &again, fault))
            return false;
        bool same = same_groups(kernels, &again);
        for (size_t k = 0; same && k < again.count; k++)
            values[k * repeats + i] = again.items[k].time_ns;
        values[kernels->count * repeats + i] = again.empty_ns;
        lichen_free(again.items);
        if (!same)
            return fault_set(fault, FAULT_DEVICE, "the same run had other kernels the next time");
    }
    return true;
}

static int longest_first(const void *a, const void *b)
{
    double x = ((const struct bench_kernel *)a)->what.time_ns;
    double y = ((const struct bench_kernel *)b)->what.time_ns;
    return (x < y) - (x > y);
}

static void summarize(struct bench_kernels *kernels, uint32_t repeats, double *values)
{
    for (size_t i = 0; i < kernels->count; i++) {
        struct bench_kernel *kernel = &kernels->items[i];
        struct bench_spread spread = bench_spread_of(values + i * repeats, repeats);
        kernel->what.time_ns = spread.median;
        kernel->p10_ns = spread.p10;
        kernel->p90_ns = spread.p90;
        kernels->sum_ns += spread.median;
        kernels->dispatches += kernel->what.dispatches;
    }
    for (size_t i = 0; i < kernels->count && kernels->sum_ns > 0; i++)
        kernels->items[i].share = kernels->items[i].what.time_ns / kernels->sum_ns;
    kernels->empty_ns = bench_spread_of(values + kernels->count * repeats, repeats).median;
    qsort(kernels->items, kernels->count, sizeof *kernels->items, longest_first);
}

bool bench_kernels_measure(struct lichen_session *session, uint32_t repeats,
                           struct bench_kernels *kernels, struct fault *fault)
{
    struct lichen_kernels first;
    *kernels = (struct bench_kernels){0};
    if (!lichen_kernels(session, &first, fault))
        return false;
    double *values = calloc((first.count + 1) * repeats, sizeof *values);
    kernels->items = calloc(first.count + 1, sizeof *kernels->items);
    bool done = values && kernels->items;
    if (done) {
        kernels->count = first.count;
        kernels->tokens = first.tokens;
        for (size_t i = 0; i < first.count; i++)
            kernels->items[i].what = first.items[i];
        done = repeat(session, kernels, repeats, values, fault);
    } else {
        fault_set(fault, FAULT_MEMORY, "out of memory for the times of kernels");
    }
    if (done)
        summarize(kernels, repeats, values);
    lichen_free(first.items);
    free(values);
    return done;
}

void bench_kernels_free(struct bench_kernels *kernels)
{
    free(kernels->items);
    *kernels = (struct bench_kernels){0};
}

bool bench_kernels_check(struct lichen_session *session, struct fault *fault)
{
    struct lichen_kernels none;
    struct fault why = {0}; /* before anything was run it fails in any case */
    if (lichen_kernels(session, &none, &why))
        lichen_free(none.items);
    return why.kind != FAULT_UNSUPPORTED || fault_set(fault, why.kind, "%s", why.text);
}

/* ---- showing ---- */

static double gb_per_s(const struct bench_kernel *kernel)
{
    return kernel->what.time_ns > 0 ? (double)kernel->what.bytes / kernel->what.time_ns : 0;
}

/* A multiply-add is two operations. */
static double gflop_per_s(const struct bench_kernel *kernel)
{
    return kernel->what.time_ns > 0 ? 2 * (double)kernel->what.products / kernel->what.time_ns : 0;
}

static const char *test_name(const struct bench_row *row)
{
    return row->decode ? "decode" : "prefill";
}

/* Nanoseconds that as many tokens take in an ordinary run. */
static double plain_ns(const struct bench_row *row)
{
    return row->rate.median > 0 ? row->kernels.tokens * 1e9 / row->rate.median : 0;
}

static const char *number(char text[24], int digits, double value)
{
    if (value > 0)
        snprintf(text, 24, "%.*f", digits, value);
    else
        snprintf(text, 24, "-");
    return text;
}

static void table_line(const struct bench_kernel *kernel, FILE *stream)
{
    char shape[24] = "-", bytes[24], rate[24], work[24];
    const struct lichen_kernel *what = &kernel->what;
    if (what->rows)
        snprintf(shape, sizeof shape, "%u x %u", (unsigned)what->rows, (unsigned)what->cols);
    fprintf(stream, "%-26s %-10s %-7s %14s %5u %10.1f %10.1f %10.1f %6.1f %9s %8s %9s\n",
            what->kernel, what->operation, what->weights[0] ? what->weights : "-", shape,
            (unsigned)what->dispatches, what->time_ns / 1e3, kernel->p10_ns / 1e3,
            kernel->p90_ns / 1e3, 100 * kernel->share, number(bytes, 2, (double)what->bytes / 1e6),
            number(rate, 2, gb_per_s(kernel)), number(work, 2, gflop_per_s(kernel)));
}

void bench_kernels_table(const struct bench_row *row, FILE *stream)
{
    const struct bench_kernels *kernels = &row->kernels;
    fprintf(stream, "\nkernels of %s, %u token%s behind %u: %u dispatches\n", test_name(row),
            (unsigned)kernels->tokens, kernels->tokens == 1 ? "" : "s", (unsigned)row->depth,
            (unsigned)kernels->dispatches);
    fprintf(stream, "%-26s %-10s %-7s %14s %5s %10s %10s %10s %6s %9s %8s %9s\n", "kernel",
            "operation", "weights", "rows x cols", "disp", "us", "p10", "p90", "%", "MB", "GB/s",
            "GFLOP/s");
    for (size_t i = 0; i < kernels->count; i++)
        table_line(&kernels->items[i], stream);
    fprintf(stream, "%-26s %-10s %-7s %14s %5u %10.1f\n", "sum", "", "", "",
            (unsigned)kernels->dispatches, kernels->sum_ns / 1e3);
    fprintf(stream,
            "Each call ran alone, a barrier and a timestamp on both sides, so nothing overlapped "
            "and every start was paid for:\nan empty pair shows %.2f us. An ordinary run of as "
            "many tokens takes %.1f us. MB: weights, and keys and values\nwhere one token "
            "attends.\n",
            kernels->empty_ns / 1e3, plain_ns(row) / 1e3);
}

void bench_kernels_csv_head(FILE *stream)
{
    fprintf(stream, "test,tokens,depth,kernel,operation,weights,rows,cols,dispatches,us,p10,p90,"
                    "share,bytes,gb_per_s,gflop_per_s\n");
}

void bench_kernels_csv(const struct bench_row *row, FILE *stream)
{
    for (size_t i = 0; i < row->kernels.count; i++) {
        const struct bench_kernel *kernel = &row->kernels.items[i];
        const struct lichen_kernel *what = &kernel->what;
        fprintf(stream, "%s,%u,%u,%s,%s,%s,", test_name(row), (unsigned)row->kernels.tokens,
                (unsigned)row->depth, what->kernel, what->operation, what->weights);
        if (what->rows)
            fprintf(stream, "%u,%u,", (unsigned)what->rows, (unsigned)what->cols);
        else
            fprintf(stream, ",,");
        fprintf(stream, "%u,%.3f,%.3f,%.3f,%.6f,", (unsigned)what->dispatches, what->time_ns / 1e3,
                kernel->p10_ns / 1e3, kernel->p90_ns / 1e3, kernel->share);
        if (what->bytes)
            fprintf(stream, "%llu,%.4f,", (unsigned long long)what->bytes, gb_per_s(kernel));
        else
            fprintf(stream, ",,");
        if (what->products)
            fprintf(stream, "%.4f", gflop_per_s(kernel));
        fputc('\n', stream);
    }
}

static json_t *known(bool is_known, double value)
{
    return is_known ? json_real(value) : json_null();
}

static json_t *known_count(uint64_t value)
{
    return value ? json_integer((json_int_t)value) : json_null();
}

static json_t *json_of_kernel(const struct bench_kernel *kernel)
{
    const struct lichen_kernel *what = &kernel->what;
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:I, s:{s:f, s:f, s:f}, s:f, s:o, s:o, s:o}",
                     "kernel", what->kernel, "operation", what->operation, "weights",
                     what->weights[0] ? json_string(what->weights) : json_null(), "rows",
                     known_count(what->rows), "cols", known_count(what->cols), "dispatches",
                     (json_int_t)what->dispatches, "us", "median", what->time_ns / 1e3, "p10",
                     kernel->p10_ns / 1e3, "p90", kernel->p90_ns / 1e3, "share", kernel->share,
                     "bytes", known_count(what->bytes), "gb_per_s",
                     known(what->bytes != 0, gb_per_s(kernel)), "gflop_per_s",
                     known(what->products != 0, gflop_per_s(kernel)));
}

json_t *bench_kernels_json(const struct bench_row *row)
{
    const struct bench_kernels *kernels = &row->kernels;
    json_t *groups = json_array();
    for (size_t i = 0; groups && i < kernels->count; i++)
        json_array_append_new(groups, json_of_kernel(&kernels->items[i]));
    return json_pack("{s:s, s:I, s:I, s:I, s:f, s:f, s:f, s:o}", "test", test_name(row), "tokens",
                     (json_int_t)kernels->tokens, "depth", (json_int_t)row->depth, "dispatches",
                     (json_int_t)kernels->dispatches, "sum_us", kernels->sum_ns / 1e3, "empty_us",
                     kernels->empty_ns / 1e3, "plain_us", plain_ns(row) / 1e3, "groups", groups);
}
