/* bench_report.c: numbers to people and programs. What is not known is null in JSON, "-" in the
 * table and empty in CSV, never 0. */
#include "bench_report.h"
#include <string.h>

static const char *test_name(const struct bench_row *row)
{
    return row->decode ? "decode" : "prefill";
}

/* Median of the same test in an older report; 0 when it is not there. */
static double old_rate(const json_t *old, const struct bench_row *row)
{
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(old, "results"), i, item)
    {
        const char *test = json_string_value(json_object_get(item, "test"));
        if (test && strcmp(test, test_name(row)) == 0 &&
            json_integer_value(json_object_get(item, "tokens")) == row->tokens &&
            json_integer_value(json_object_get(item, "depth")) == row->depth)
            return json_number_value(
                json_object_get(json_object_get(item, "tokens_per_s"), "median"));
    }
    return 0;
}

static const char *number_text(char text[32], const char *format, double value)
{
    if (value > 0)
        snprintf(text, 32, "%.*f", format[0] - '0', value);
    else
        snprintf(text, 32, "-");
    return text;
}

static void table_row(const struct bench_row *row, bool peer, const json_t *old, FILE *stream)
{
    char a[32], b[32], c[32], name[48];
    snprintf(name, sizeof name, "%s %u", test_name(row), (unsigned)row->tokens);
    if (row->depth)
        snprintf(name + strlen(name), sizeof name - strlen(name), " @ %u", (unsigned)row->depth);
    fprintf(stream, "%-20s %9.2f %9.2f %9.2f %8s %7s %9s %6s", name, row->rate.median,
            row->rate.p10, row->rate.p90, number_text(a, "2", row->gb_per_s),
            number_text(b, "0", 100 * row->share),
            number_text(c, "2", (double)row->bytes_per_token / 1e6), row->activations);
    if (row->decode)
        fprintf(stream, " %5u %5u %6.2f", (unsigned)row->dispatches_per_token,
                (unsigned)row->intervals_per_token, row->submissions_per_token);
    else
        fprintf(stream, " %5s %5s %6.2f", "-", "-", row->submissions_per_token);
    if (peer)
        fprintf(
            stream, " %9s %6s", number_text(a, "2", row->peer.median),
            number_text(b, "2", row->peer.median > 0 ? row->rate.median / row->peer.median : 0));
    if (old) {
        double before = old_rate(old, row);
        fprintf(stream, " %9s %6s", number_text(a, "2", before),
                number_text(b, "2", before > 0 ? row->rate.median / before : 0));
    }
    fputc('\n', stream);
}

static bool any_peer(const struct bench_result *result)
{
    for (size_t i = 0; i < result->count; i++)
        if (result->rows[i].peer.median > 0)
            return true;
    return false;
}

void bench_table(const struct bench_result *result, const json_t *old, FILE *stream)
{
    bool peer = any_peer(result);
    fprintf(stream, "%-20s %9s %9s %9s %8s %7s %9s %6s %5s %5s %6s%s%s\n", "test", "tokens/s",
            "p10", "p90", "GB/s", "% read", "MB/token", "act", "disp", "intv", "subm",
            peer ? "      peer  ratio" : "", old ? "    before  ratio" : "");
    for (size_t i = 0; i < result->count; i++)
        table_row(&result->rows[i], peer, old, stream);
    fprintf(stream, "\n%% read: share of what plainly reading that memory reaches");
    if (result->bandwidth > 0)
        fprintf(stream, " (%.1f GB/s)", result->bandwidth / 1e9);
    fprintf(stream, "; act: activations; disp, intv, subm: dispatches, intervals between barriers "
                    "and submissions a token\n");
    if (result->cold_s >= 0)
        fprintf(stream,
                "start of the program to the end of its first token: cold %.2f s, warm "
                "%.2f s\n",
                result->cold_s, result->warm_s);
    if (result->skipped_depth)
        fprintf(stream,
                "left out: depth %u and more: beyond the context that the model was "
                "trained for\n",
                (unsigned)result->skipped_depth);
    for (size_t i = 0; i < result->count; i++)
        if (result->rows[i].kernels.count)
            bench_kernels_table(&result->rows[i], stream);
}

static bool csv_of_kernels(const struct bench_result *result, FILE *stream)
{
    if (result->count == 0 || !result->rows[0].kernels.count)
        return false;
    bench_kernels_csv_head(stream);
    for (size_t i = 0; i < result->count; i++)
        bench_kernels_csv(&result->rows[i], stream);
    return true;
}

void bench_csv(const struct bench_result *result, FILE *stream)
{
    if (csv_of_kernels(result, stream))
        return;
    fprintf(stream, "test,tokens,depth,tokens_per_s,p10,p90,gb_per_s,bandwidth_share,"
                    "bytes_per_token,dispatches_per_token,intervals_per_token,"
                    "submissions_per_token,activations,peer_tokens_per_s\n");
    for (size_t i = 0; i < result->count; i++) {
        const struct bench_row *row = &result->rows[i];
        fprintf(stream, "%s,%u,%u,%.4f,%.4f,%.4f,", test_name(row), (unsigned)row->tokens,
                (unsigned)row->depth, row->rate.median, row->rate.p10, row->rate.p90);
        if (row->decode && row->bytes_per_token)
            fprintf(stream, "%.4f,%.4f,%llu,%u,%u,", row->gb_per_s, row->share,
                    (unsigned long long)row->bytes_per_token, (unsigned)row->dispatches_per_token,
                    (unsigned)row->intervals_per_token);
        else
            fprintf(stream, ",,,,,");
        fprintf(stream, "%.4f,%s,", row->submissions_per_token, row->activations);
        if (row->peer.median > 0)
            fprintf(stream, "%.4f", row->peer.median);
        fputc('\n', stream);
    }
}

static json_t *json_of_spread(const struct bench_spread *spread)
{
    return json_pack("{s:f, s:f, s:f}", "median", spread->median, "p10", spread->p10, "p90",
                     spread->p90);
}

static json_t *known(bool is_known, double value)
{
    return is_known ? json_real(value) : json_null();
}

static json_t *known_count(bool is_known, uint64_t value)
{
    return is_known ? json_integer((json_int_t)value) : json_null();
}

static json_t *json_of_row(const struct bench_row *row)
{
    bool read = row->decode && row->bytes_per_token;
    json_t *item = json_pack("{s:s, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:f, s:s}", "test",
                             test_name(row), "tokens", (json_int_t)row->tokens, "depth",
                             (json_int_t)row->depth, "tokens_per_s", json_of_spread(&row->rate),
                             "gb_per_s", known(read, row->gb_per_s), "bandwidth_share",
                             known(read && row->share > 0, row->share), "bytes_per_token",
                             known_count(read, row->bytes_per_token), "dispatches_per_token",
                             known_count(read, row->dispatches_per_token), "intervals_per_token",
                             known_count(read, row->intervals_per_token), "submissions_per_token",
                             row->submissions_per_token, "activations", row->activations);
    if (item && row->peer.median > 0) {
        json_object_set_new(item, "peer_tokens_per_s", json_of_spread(&row->peer));
        json_object_set_new(item, "ratio", json_real(row->rate.median / row->peer.median));
    }
    return item;
}

json_t *bench_json(const struct bench_result *result, json_t *model, json_t *device,
                   json_t *machine)
{
    json_t *rows = json_array(), *kernels = json_array();
    bool timed = false;
    for (size_t i = 0; rows && kernels && i < result->count; i++) {
        json_array_append_new(rows, json_of_row(&result->rows[i]));
        if (result->rows[i].kernels.count) {
            json_array_append_new(kernels, bench_kernels_json(&result->rows[i]));
            timed = true;
        }
    }
    json_t *document =
        json_pack("{s:i, s:o, s:o, s:o, s:o, s:{s:o, s:o}, s:o}", "schema", 1, "model", model,
                  "device", device, "machine", machine, "results", rows, "start", "cold_s",
                  known(result->cold_s >= 0, result->cold_s), "warm_s",
                  known(result->warm_s >= 0, result->warm_s), "bandwidth_gb_per_s",
                  known(result->bandwidth > 0, result->bandwidth / 1e9));
    if (document && timed)
        json_object_set(document, "kernels", kernels);
    json_decref(kernels);
    return document;
}
