/* loss_views.c: what the views share, the advice, and the short forms: CSV and Markdown. */
#include "loss_views.h"
#include <math.h>
#include <stdarg.h>
#include <string.h>

double loss_number(const json_t *value, ...)
{
    va_list keys;
    va_start(keys, value);
    for (const char *key; value && (key = va_arg(keys, const char *));)
        value = json_object_get(value, key);
    va_end(keys);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

size_t loss_index(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    json_int_t index = json_is_integer(value) ? json_integer_value(value) : -1;
    return index < 0 ? SIZE_MAX : (size_t)index;
}

const char *loss_string(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

double loss_level_of(const json_t *report)
{
    double level = loss_number(report, "level", NULL);
    return level > 0 && level < 1 ? level : 0.95;
}

const char *loss_level(const json_t *report, char text[24])
{
    snprintf(text, 24, "%.4g %%", 100 * loss_level_of(report));
    return text;
}

double loss_stride(const json_t *report)
{
    double stride = loss_number(report, "stride", NULL);
    return isfinite(stride) ? stride : 0;
}

const char *loss_windows_text(const json_t *report, char text[128])
{
    double stride = loss_stride(report);
    int used = snprintf(text, 128, "protocol %.24s, windows of %.0f tokens",
                        loss_string(report, "protocol"), loss_number(report, "ctx", NULL));
    if (stride > 0)
        snprintf(text + used, 128 - (size_t)used, " every %.0f", stride);
    return text;
}

const json_t *loss_result(const json_t *stream, const char *text)
{
    const json_t *results = json_object_get(stream, "results");
    for (size_t i = 0; i < json_array_size(results); i++)
        if (strcmp(loss_string(json_array_get(results, i), "text"), text) == 0)
            return json_array_get(results, i);
    return NULL;
}

size_t loss_below_expected(const json_t *candidate, const json_t **worst, double *shortfall)
{
    const json_t *tensors = json_object_get(candidate, "tensors");
    size_t count = 0;
    *worst = NULL;
    *shortfall = 0;
    for (size_t i = 0; i < json_array_size(tensors); i++) {
        const json_t *tensor = json_array_get(tensors, i);
        double below =
            loss_number(tensor, "sqnr_expected_db", NULL) - loss_number(tensor, "sqnr_db", NULL);
        if (!json_is_true(json_object_get(tensor, "below_expected")) || !isfinite(below))
            continue;
        count++;
        if (!*worst || below > *shortfall) {
            *worst = tensor;
            *shortfall = below;
        }
    }
    return count;
}

/* ---- advice ---- */

/* Not noticed: perplexity grows by 1 % at most, and of 100 next words at most one that the base has
 * right is wrong. */
static const double unnoticed_lost = 0.01, unnoticed_ratio = 1.01;

struct advice {
    const json_t *report;
    const char *text; /* the first text's name */
    char *out;
    size_t size, used;
};

static void say(struct advice *advice, const char *format, ...) FAULT_PRINTF(2, 3);
static void say(struct advice *advice, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (advice->used < advice->size) {
        int written =
            vsnprintf(advice->out + advice->used, advice->size - advice->used, format, arguments);
        advice->used += written > 0 ? (size_t)written : 0;
    }
    va_end(arguments);
}

static double lost_of(const struct advice *advice, const json_t *candidate)
{
    return loss_number(loss_result(candidate, advice->text), "flips", "right_to_wrong", NULL);
}

static double kld_of(const struct advice *advice, const json_t *candidate)
{
    return loss_number(loss_result(candidate, advice->text), "kld", "mean", NULL);
}

static double bytes_of(const json_t *stream)
{
    return loss_number(stream, "bytes", NULL);
}

static bool unnoticed(const struct advice *advice, const json_t *candidate)
{
    double ratio = loss_number(loss_result(candidate, advice->text), "ppl_ratio", "value", NULL);
    return lost_of(advice, candidate) <= unnoticed_lost && ratio <= unnoticed_ratio;
}

/* Better to have: fewer bytes; of equal size, clearly less KLD. */
static bool preferred(const struct advice *advice, const json_t *a, const json_t *b)
{
    if (bytes_of(a) != bytes_of(b))
        return bytes_of(a) < bytes_of(b);
    return kld_of(advice, a) < 0.99 * kld_of(advice, b);
}

/* The preferred candidate that is not noticed; NULL when there is none. */
static const json_t *find_good(const struct advice *advice)
{
    const json_t *found = NULL, *candidates = json_object_get(advice->report, "candidates");
    for (size_t i = 0; i < json_array_size(candidates); i++) {
        const json_t *item = json_array_get(candidates, i);
        if (unnoticed(advice, item) && (!found || preferred(advice, item, found)))
            found = item;
    }
    return found;
}

static const json_t *find_least(const struct advice *advice)
{
    const json_t *found = NULL, *candidates = json_object_get(advice->report, "candidates");
    for (size_t i = 0; i < json_array_size(candidates); i++) {
        const json_t *item = json_array_get(candidates, i);
        if (kld_of(advice, item) >= 0 && (!found || kld_of(advice, item) < kld_of(advice, found)))
            found = item;
    }
    return found;
}

/* The next smaller file: the largest below `from`, of equal ones the one of less KLD. */
static const json_t *find_next(const struct advice *advice, const json_t *from)
{
    const json_t *found = NULL, *candidates = json_object_get(advice->report, "candidates");
    for (size_t i = 0; i < json_array_size(candidates); i++) {
        const json_t *item = json_array_get(candidates, i);
        if (!(bytes_of(item) < bytes_of(from)) || !(kld_of(advice, item) >= 0))
            continue;
        if (!found || bytes_of(item) > bytes_of(found) ||
            (bytes_of(item) == bytes_of(found) && preferred(advice, item, found)))
            found = item;
    }
    return found;
}

static void say_lost(struct advice *advice, const json_t *candidate)
{
    double lost = 100 * lost_of(advice, candidate);
    say(advice, "%.*f of 100 next words wrong that the base has right", lost < 9.95, lost);
}

static void say_next(struct advice *advice, const json_t *from)
{
    const json_t *next = find_next(advice, from);
    if (!next)
        return;
    double saved = bytes_of(from) - bytes_of(next), lost = 100 * lost_of(advice, next);
    say(advice, "; %s saves %.*f MB more and gets %.*f of 100 wrong", loss_string(next, "label"),
        saved < 1e7, saved / 1e6, lost < 9.95, lost);
}

void loss_advice(const json_t *report, char *text, size_t size)
{
    const json_t *texts = json_object_get(report, "texts");
    struct advice advice = {.report = report,
                            .text = loss_string(json_array_get(texts, 0), "name"),
                            .out = text,
                            .size = size};
    const json_t *good = find_good(&advice), *least = find_least(&advice);
    text[0] = 0;
    if (!least)
        return;
    if (good)
        say(&advice, "%s loses nothing you would notice here: ", loss_string(good, "label"));
    else
        say(&advice,
            "Every candidate would be noticed here, %s the least: ", loss_string(least, "label"));
    say_lost(&advice, good ? good : least);
    say_next(&advice, good ? good : least);
    say(&advice, ".");
    double chunks = loss_number(loss_result(least, advice.text), "chunks", NULL);
    if (chunks < 20)
        say(&advice, " Only %.0f window%s of text: a first impression.", chunks,
            chunks == 1 ? "" : "s");
}

/* ---- pairs ---- */

static double kld_rank(const json_t *report, size_t candidate, const char *text)
{
    const json_t *item = json_array_get(json_object_get(report, "candidates"), candidate);
    return loss_number(loss_result(item, text), "kld", "mean", NULL);
}

double loss_pair_percent(const json_t *report, const json_t *pair)
{
    const char *text = loss_string(pair, "text");
    double a = kld_rank(report, loss_index(pair, "a"), text);
    double b = kld_rank(report, loss_index(pair, "b"), text);
    return 100 * fabs(a - b) / fmax(a, b);
}

bool loss_pair_shown(const json_t *report, const json_t *pair, const char *text)
{
    enum { ALL_SHOWN = 4 };
    size_t count = json_array_size(json_object_get(report, "candidates"));
    if (strcmp(loss_string(pair, "text"), text) != 0)
        return false;
    if (count <= ALL_SHOWN)
        return true;
    double a = kld_rank(report, loss_index(pair, "a"), text);
    double b = kld_rank(report, loss_index(pair, "b"), text);
    for (size_t i = 0; i < count; i++) {
        double between = kld_rank(report, i, text);
        if (between > fmin(a, b) && between < fmax(a, b))
            return false;
    }
    return true;
}

/* ---- CSV ---- */

/* A field between quotes; quotes inside are doubled. */
static void csv_text(const char *text, FILE *stream)
{
    fputc('"', stream);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', stream);
        fputc(*text, stream);
    }
    fputc('"', stream);
}

static void csv_number(double value, FILE *stream)
{
    if (isfinite(value))
        fprintf(stream, ",%.9g", value);
    else
        fputc(',', stream);
}

static double bound(const json_t *result, const char *key, const char *inner, size_t side)
{
    const json_t *interval = json_object_get(result, key);
    if (inner)
        interval = json_object_get(interval, inner);
    return loss_number(json_array_get(interval, side), NULL);
}

static void csv_row(const json_t *candidate, const json_t *result, FILE *stream)
{
    static const char *const klds[] = {"median", "p90", "p95", "p99", "p999", "max"};
    csv_text(loss_string(candidate, "label"), stream);
    fputc(',', stream);
    csv_text(loss_string(result, "text"), stream);
    csv_number(loss_number(candidate, "bytes", NULL), stream);
    csv_number(loss_number(candidate, "bpw", NULL), stream);
    csv_number(loss_number(result, "chunks", NULL), stream);
    csv_number(loss_number(result, "ppl_base", NULL), stream);
    csv_number(loss_number(result, "ppl", NULL), stream);
    csv_number(loss_number(result, "ppl_ratio", "value", NULL), stream);
    csv_number(bound(result, "ppl_ratio", "ci95", 0), stream);
    csv_number(bound(result, "ppl_ratio", "ci95", 1), stream);
    csv_number(loss_number(result, "kld", "mean", NULL), stream);
    csv_number(bound(result, "kld", "ci95", 0), stream);
    csv_number(bound(result, "kld", "ci95", 1), stream);
    for (size_t i = 0; i < sizeof klds / sizeof klds[0]; i++)
        csv_number(loss_number(result, "kld", klds[i], NULL), stream);
    csv_number(loss_number(result, "top1", NULL), stream);
    csv_number(loss_number(result, "top5", NULL), stream);
    csv_number(loss_number(result, "top10", NULL), stream);
    csv_number(loss_number(result, "delta_p", "mean", NULL), stream);
    csv_number(loss_number(result, "delta_p", "rms", NULL), stream);
    csv_number(loss_number(result, "flips", "right_to_wrong", NULL), stream);
    csv_number(loss_number(result, "flips", "wrong_to_right", NULL), stream);
    csv_number(loss_number(result, "ppl_difference", "value", NULL), stream);
    csv_number(bound(result, "ppl_difference", "ci95", 0), stream);
    csv_number(bound(result, "ppl_difference", "ci95", 1), stream);
    const json_t *at_floor = json_object_get(result, "at_floor");
    csv_number(json_is_boolean(at_floor) ? json_is_true(at_floor) : (double)NAN, stream);
    fputc('\n', stream);
}

void loss_csv(const json_t *report, FILE *stream)
{
    const json_t *candidates = json_object_get(report, "candidates");
    fprintf(stream,
            "candidate,text,bytes,bpw,chunks,ppl_base,ppl,ppl_ratio,ppl_ratio_low,"
            "ppl_ratio_high,kld,kld_low,kld_high,kld_median,kld_p90,kld_p95,kld_p99,"
            "kld_p999,kld_max,top1,top5,top10,delta_p,delta_p_rms,right_to_wrong,"
            "wrong_to_right,ppl_difference,ppl_difference_low,ppl_difference_high,at_floor\n");
    for (size_t i = 0; i < json_array_size(candidates); i++) {
        const json_t *candidate = json_array_get(candidates, i);
        const json_t *results = json_object_get(candidate, "results");
        for (size_t k = 0; k < json_array_size(results); k++)
            csv_row(candidate, json_array_get(results, k), stream);
    }
}

/* ---- Markdown ---- */

void loss_markdown(const json_t *report, FILE *stream)
{
    const json_t *candidates = json_object_get(report, "candidates");
    char level[24];
    fprintf(stream,
            "| candidate | text | MB | bits/weight | PPL | PPL ratio | KLD [%s] | KLD "
            "99 %% | top-1 | top-5 |\n|---|---|---|---|---|---|---|---|---|---|\n",
            loss_level(report, level));
    for (size_t i = 0; i < json_array_size(candidates); i++) {
        const json_t *candidate = json_array_get(candidates, i);
        const json_t *results = json_object_get(candidate, "results");
        for (size_t k = 0; k < json_array_size(results); k++) {
            const json_t *result = json_array_get(results, k);
            fprintf(
                stream,
                "| %s | %s | %.1f | %.2f | %.4g | %.4f | %.5f [%.5f, %.5f] | %.4f | %.2f %% | "
                "%.2f %% |\n",
                loss_string(candidate, "label"), loss_string(result, "text"),
                loss_number(candidate, "bytes", NULL) / 1e6, loss_number(candidate, "bpw", NULL),
                loss_number(result, "ppl", NULL), loss_number(result, "ppl_ratio", "value", NULL),
                loss_number(result, "kld", "mean", NULL), bound(result, "kld", "ci95", 0),
                bound(result, "kld", "ci95", 1), loss_number(result, "kld", "p99", NULL),
                100 * loss_number(result, "top1", NULL), 100 * loss_number(result, "top5", NULL));
        }
    }
}
