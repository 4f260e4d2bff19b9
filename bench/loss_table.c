/* loss_table.c: the report on a terminal. Names come from files: the caller's stream is the place
 * where control characters are kept out of labels (fault.h's rule; labels are cleaned here). */
#include "loss_views.h"
#include <math.h>
#include <string.h>

enum { LABEL_WIDTH = 38 };

/* A label as it may be shown: no control characters. */
static const char *shown(const char *label, char text[128])
{
    size_t used = 0;
    for (; *label && used < 127; label++)
        if ((unsigned char)*label >= 0x20 && *label != 0x7f)
            text[used++] = *label;
    text[used] = 0;
    return text;
}

static const char *number(char text[48], const char *format, double value)
{
    if (!isfinite(value))
        return "-";
    snprintf(text, 48,
             format[0] == '6'   ? "%.6f"
             : format[0] == '4' ? "%.4f"
             : format[0] == '2' ? "%.2f"
                                : "%.3g",
             value);
    return text;
}

/* "0.01230 [0.0119, 0.0127]" */
static const char *with_interval(char text[64], double value, const json_t *interval)
{
    double low = loss_number(json_array_get(interval, 0), NULL);
    double high = loss_number(json_array_get(interval, 1), NULL);
    if (!isfinite(value))
        snprintf(text, 64, "-");
    else if (isfinite(low) && isfinite(high))
        snprintf(text, 64, "%.4g [%.4g, %.4g]", value, low, high);
    else
        snprintf(text, 64, "%.4g [?]", value);
    return text;
}

/* ---- the four questions ---- */

static void answer_score(const json_t *report, const json_t *stream, bool base, FILE *out)
{
    const char *text = loss_string(json_array_get(json_object_get(report, "texts"), 0), "name");
    const json_t *result = loss_result(stream, text);
    if (base)
        fprintf(out, "PPL %.4g", loss_number(result, "ppl", "value", NULL));
    else
        fprintf(out, "%.4g (%+.2f %%)", loss_number(result, "ppl", NULL),
                100 * (loss_number(result, "ppl_ratio", "value", NULL) - 1));
}

static void answer_size(const json_t *report, const json_t *stream, bool base, FILE *out)
{
    (void)report;
    if (base)
        fprintf(out, "%.1f M parameters, ", loss_number(stream, "parameters", NULL) / 1e6);
    fprintf(out, "%.2f bits each, %.1f MB", loss_number(stream, "bpw", NULL),
            loss_number(stream, "bytes", NULL) / 1e6);
}

/* "Q4_K 62 %, Q6_K 38 %", of the weights. */
static void answer_types(const json_t *report, const json_t *stream, bool base, FILE *out)
{
    (void)report;
    (void)base;
    const json_t *types = json_object_get(stream, "types");
    double all = loss_number(stream, "parameters", NULL);
    for (size_t i = 0; i < json_array_size(types); i++) {
        const json_t *type = json_array_get(types, i);
        char name[128], share[48];
        fprintf(out, "%s%s %s %%", i ? ", " : "", shown(loss_string(type, "type"), name),
                number(share, "3", 100 * loss_number(type, "weights", NULL) / all));
    }
}

static void answer_speed(const json_t *report, const json_t *stream, bool base, FILE *out)
{
    (void)report;
    char text[48], rate[48];
    fprintf(out, "%s%s s, %s tokens/s", base ? "first token after " : "",
            number(text, "3", loss_number(stream, "speed", "first_token_s", NULL)),
            number(rate, "2", loss_number(stream, "speed", "tokens_per_s", NULL)));
}

static void answer_stability(const json_t *report, const json_t *stream, bool base, FILE *out)
{
    (void)report;
    const json_t *stability = json_object_get(stream, "stability");
    if (base)
        fprintf(out, "%.0f tokens, ", loss_number(stability, "tokens", NULL));
    fprintf(out, "%s", loss_string(stability, "verdict"));
}

static void answer(const json_t *report, const char *question,
                   void (*say)(const json_t *report, const json_t *stream, bool base, FILE *out),
                   const char *needed, FILE *out)
{
    char label[128];
    const json_t *base = json_object_get(report, "base");
    const json_t *candidates = json_object_get(report, "candidates");
    fprintf(out, "%-10s", question);
    const char *between = "";
    if (!json_is_null(json_object_get(base, needed)) && json_object_get(base, needed)) {
        fprintf(out, "base: ");
        say(report, base, true, out);
        between = "; ";
    }
    for (size_t i = 0; i < json_array_size(candidates); i++) {
        const json_t *candidate = json_array_get(candidates, i);
        if (!json_object_get(candidate, needed))
            continue;
        fprintf(out, "%s%s: ", between, shown(loss_string(candidate, "label"), label));
        say(report, candidate, false, out);
        between = "; ";
    }
    fputc('\n', out);
}

static bool any(const json_t *report, const char *key)
{
    return json_object_get(json_object_get(report, "base"), key) ||
           json_object_get(json_array_get(json_object_get(report, "candidates"), 0), key);
}

static void four_answers(const json_t *report, FILE *out)
{
    if (json_array_size(json_object_get(report, "texts")))
        answer(report, "score", answer_score, "results", out);
    answer(report, "size", answer_size, "bytes", out);
    if (any(report, "types"))
        answer(report, "types", answer_types, "types", out);
    if (any(report, "speed"))
        answer(report, "speed", answer_speed, "speed", out);
    if (any(report, "stability"))
        answer(report, "long run", answer_stability, "stability", out);
    fputc('\n', out);
}

/* ---- a text ---- */

static void text_head(const json_t *report, const json_t *text, FILE *out)
{
    char name[128], ppl[64], every[32] = "";
    double stride = loss_stride(report);
    if (stride > 0)
        snprintf(every, sizeof every, " every %.0f", stride);
    const json_t *base = loss_result(json_object_get(report, "base"), loss_string(text, "name"));
    fprintf(out,
            "%s: %.0f window%s of %.0f tokens%s (protocol %s), %.0f tokens scored; base PPL %s\n",
            shown(loss_string(text, "name"), name), loss_number(text, "chunks", NULL),
            loss_number(text, "chunks", NULL) == 1 ? "" : "s", loss_number(report, "ctx", NULL),
            every, loss_string(report, "protocol"), loss_number(text, "scored", NULL),
            with_interval(ppl, loss_number(base, "ppl", "value", NULL),
                          json_object_get(json_object_get(base, "ppl"), "ci95")));
}

static void candidate_row(const json_t *candidate, const json_t *result, FILE *out)
{
    char label[128], ppl[48], ratio[64], kld[64], p99[48], top1[48], top5[48], rms[48];
    const json_t *kld_object = json_object_get(result, "kld");
    const json_t *ratio_object = json_object_get(result, "ppl_ratio");
    fprintf(out, "%-*.*s %8.1f %5.2f %8s %-24s %-31s %8s %6s %6s %4.1f/%-4.1f %6s\n", LABEL_WIDTH,
            LABEL_WIDTH, shown(loss_string(candidate, "label"), label),
            loss_number(candidate, "bytes", NULL) / 1e6, loss_number(candidate, "bpw", NULL),
            number(ppl, "4", loss_number(result, "ppl", NULL)),
            with_interval(ratio, loss_number(ratio_object, "value", NULL),
                          json_object_get(ratio_object, "ci95")),
            with_interval(kld, loss_number(kld_object, "mean", NULL),
                          json_object_get(kld_object, "ci95")),
            number(p99, "3", loss_number(kld_object, "p99", NULL)),
            number(top1, "2", 100 * loss_number(result, "top1", NULL)),
            number(top5, "2", 100 * loss_number(result, "top5", NULL)),
            100 * loss_number(result, "flips", "right_to_wrong", NULL),
            100 * loss_number(result, "flips", "wrong_to_right", NULL),
            number(rms, "2", 100 * loss_number(result, "delta_p", "rms", NULL)));
}

static void pair_line(const json_t *report, const json_t *pair, FILE *out)
{
    char a[128], b[128], difference[64];
    const json_t *candidates = json_object_get(report, "candidates");
    const json_t *first = json_array_get(candidates, loss_index(pair, "a"));
    const json_t *second = json_array_get(candidates, loss_index(pair, "b"));
    const char *verdict = loss_string(pair, "verdict");
    double needed = loss_number(pair, "chunks_needed", NULL);
    bool same = strcmp(verdict, "indistinguishable") == 0;
    shown(loss_string(first, "label"), a);
    shown(loss_string(second, "label"), b);
    with_interval(difference, loss_number(pair, "kld_difference", "value", NULL),
                  json_object_get(json_object_get(pair, "kld_difference"), "ci95"));
    if (strcmp(verdict, "equal") == 0) {
        fprintf(out, "  %s and %s are equal\n", a, b);
        return;
    }
    if (same)
        fprintf(out, "  %s and %s are not distinguishable", a, b);
    else
        fprintf(out, "  %s is %s than %s", a, verdict, b);
    fprintf(out, ": KLD difference %s, %.3g %%", difference, loss_pair_percent(report, pair));
    if (same && isfinite(needed) && needed < 1e6)
        fprintf(out, "; about %.0f windows needed", needed);
    fputc('\n', out);
}

static void text_excess(const json_t *report, FILE *out)
{
    double excess = loss_number(report, "base", "probability_excess", NULL);
    if (isfinite(excess))
        fprintf(out,
                "  the file of logits sums to %.4f instead of 1: of an old llama.cpp, and its KLD "
                "is off by about as much\n",
                1 + excess);
}

/* Asked for 8 or 16 bits, and ran in floats: the row says nothing about them. */
static void text_activations(const json_t *report, FILE *out)
{
    char label[128];
    const json_t *candidates = json_object_get(report, "candidates");
    for (size_t i = 0; i < json_array_size(candidates); i++) {
        const json_t *candidate = json_array_get(candidates, i);
        const char *wanted = loss_string(candidate, "activations");
        if ((strcmp(wanted, "8") == 0 || strcmp(wanted, "16") == 0) &&
            strcmp(loss_string(candidate, "activations_used"), "float32") == 0)
            fprintf(out, "  %s: this device multiplied in floats all the same\n",
                    shown(loss_string(candidate, "label"), label));
    }
}

static void text_pairs(const json_t *report, const char *name, FILE *out)
{
    const json_t *pairs = json_object_get(report, "pairs");
    for (size_t i = 0; i < json_array_size(pairs); i++)
        if (loss_pair_shown(report, json_array_get(pairs, i), name))
            pair_line(report, json_array_get(pairs, i), out);
}

/* "  a, b: at the noise floor" */
static void text_at_floor(const json_t *report, const char *name, FILE *out)
{
    char label[128];
    bool any_is = false;
    const json_t *candidates = json_object_get(report, "candidates");
    for (size_t i = 0; i < json_array_size(candidates); i++) {
        const json_t *candidate = json_array_get(candidates, i);
        if (!json_is_true(json_object_get(loss_result(candidate, name), "at_floor")))
            continue;
        fprintf(out, "%s%s", any_is ? ", " : "  ", shown(loss_string(candidate, "label"), label));
        any_is = true;
    }
    if (any_is)
        fputs(": at the noise floor\n", out);
}

static void text_floor(const json_t *report, const char *name, FILE *out)
{
    const json_t *floor = loss_result(json_object_get(report, "floor"), name);
    if (floor)
        fprintf(out, "  noise floor (the base against itself, %s): KLD %.3g over %.0f windows\n",
                loss_string(json_object_get(report, "floor"), "how"),
                loss_number(floor, "kld", "mean", NULL), loss_number(floor, "chunks", NULL));
}

static void text_table(const json_t *report, const json_t *text, FILE *out)
{
    const char *name = loss_string(text, "name");
    const json_t *candidates = json_object_get(report, "candidates");
    char level[24], ratio[48], kld[48];
    snprintf(ratio, sizeof ratio, "PPL ratio [%s]", loss_level(report, level));
    snprintf(kld, sizeof kld, "KLD, nats [%s]", level);
    text_head(report, text, out);
    if (json_array_size(candidates))
        fprintf(out, "%-*s %8s %5s %8s %-24s %-31s %8s %6s %6s %9s %6s\n", LABEL_WIDTH, "candidate",
                "MB", "bits", "PPL", ratio, kld, "KLD 99%", "top-1", "top-5", "lost/won", "dp rms");
    for (size_t i = 0; i < json_array_size(candidates); i++) {
        const json_t *candidate = json_array_get(candidates, i);
        const json_t *result = loss_result(candidate, name);
        if (result)
            candidate_row(candidate, result, out);
    }
    text_pairs(report, name, out);
    text_floor(report, name, out);
    text_at_floor(report, name, out);
    text_excess(report, out);
    text_activations(report, out);
    fputc('\n', out);
}

/* ---- llama-perplexity's words ---- */

static void detail(const char *name, double value, double error, double scale, FILE *out)
{
    fprintf(out, "%-30s: %11.6f", name, scale * value);
    if (isfinite(error))
        fprintf(out, " ± %10.6f", scale * error);
    fputc('\n', out);
}

static void detail_shares(const char *what, const json_t *object, double scale, FILE *out)
{
    static const char *const keys[] = {"max", "p999", "p99", "p95",  "p90", "median",
                                       "p10", "p05",  "p01", "p001", "min"};
    static const char *const names[] = {"Maximum", "99.9%", "99.0%", "95.0%", "90.0%",  "Median",
                                        "10.0%",   " 5.0%", " 1.0%", " 0.1%", "Minimum"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        char name[48];
        snprintf(name, sizeof name, "%-7s %s", names[i], what);
        detail(name, loss_number(object, keys[i], NULL), (double)NAN, scale, out);
    }
}

static void details_of(const json_t *candidate, const json_t *result, FILE *out)
{
    char label[128];
    const json_t *kld = json_object_get(result, "kld"), *dp = json_object_get(result, "delta_p");
    fprintf(out, "====== %s on %s ======\n", shown(loss_string(candidate, "label"), label),
            loss_string(result, "text"));
    detail("Mean PPL(Q)", loss_number(result, "ppl", NULL), loss_number(result, "ppl_iid_se", NULL),
           1, out);
    detail("Mean PPL(base)", loss_number(result, "ppl_base", NULL), (double)NAN, 1, out);
    detail("Cor(ln(PPL(Q)), ln(PPL(base)))", 100 * loss_number(result, "correlation", NULL),
           (double)NAN, 1, out);
    detail("Mean ln(PPL(Q)/PPL(base))", loss_number(result, "ln_ppl_ratio", "value", NULL),
           loss_number(result, "ln_ppl_ratio", "iid_se", NULL), 1, out);
    detail("Mean PPL(Q)-PPL(base)", loss_number(result, "ppl_difference", "value", NULL),
           loss_number(result, "ppl_difference", "iid_se", NULL), 1, out);
    char interval[64];
    fprintf(out, "%-30s: %s\n", "PPL(Q)-PPL(base), interval",
            with_interval(interval, loss_number(result, "ppl_difference", "value", NULL),
                          json_object_get(json_object_get(result, "ppl_difference"), "ci95")));
    detail("Mean    KLD", loss_number(kld, "mean", NULL), loss_number(kld, "iid_se", NULL), 1, out);
    detail_shares("KLD", kld, 1, out);
    detail("Mean    Δp (%)", loss_number(dp, "mean", NULL), loss_number(dp, "iid_se", NULL), 100,
           out);
    detail_shares("Δp (%)", dp, 100, out);
    detail("RMS     Δp (%)", loss_number(dp, "rms", NULL), loss_number(dp, "rms_se", NULL), 100,
           out);
    detail("Same top p (%)", loss_number(result, "top1", NULL),
           loss_number(result, "top1_iid_se", NULL), 100, out);
    detail("JSD", loss_number(result, "jsd", "value", NULL),
           loss_number(result, "jsd", "iid_se", NULL), 1, out);
    fprintf(out, "(± as if tokens were independent, as llama-perplexity prints it: too small)\n\n");
}

/* ---- weights ---- */

/* Also without --layers: such a matrix is a mistake of whoever made the file. */
static void weights_below(const json_t *report, FILE *out)
{
    char label[128], name[128];
    bool any_is = false;
    const json_t *candidates = json_object_get(report, "candidates");
    for (size_t i = 0; i < json_array_size(candidates); i++) {
        const json_t *candidate = json_array_get(candidates, i), *worst;
        double shortfall;
        size_t count = loss_below_expected(candidate, &worst, &shortfall);
        if (!count)
            continue;
        any_is = true;
        fprintf(out,
                "%s: %zu matri%s noisier than %s type has to be, the worst %s (%s) by %.1f dB\n",
                shown(loss_string(candidate, "label"), label), count, count == 1 ? "x" : "ces",
                count == 1 ? "its" : "their", shown(loss_string(worst, "name"), name),
                loss_string(worst, "type"), shortfall);
    }
    if (any_is)
        fputc('\n', out);
}

static void tensor_line(const json_t *tensor, FILE *out)
{
    char name[128], noise[48], expected[48], rmse[48], error[48], cosine[48];
    fprintf(out, "%-34.34s %-6s %8s %8s%s %9s %9s %9s\n", shown(loss_string(tensor, "name"), name),
            loss_string(tensor, "type"), number(noise, "2", loss_number(tensor, "sqnr_db", NULL)),
            number(expected, "2", loss_number(tensor, "sqnr_expected_db", NULL)),
            json_is_true(json_object_get(tensor, "below_expected")) ? "!" : " ",
            number(rmse, "4", loss_number(tensor, "relative_rmse", NULL)),
            number(error, "4", loss_number(tensor, "output_error", NULL)),
            number(cosine, "6", loss_number(tensor, "output_cosine", NULL)));
}

static void tensor_table(const json_t *candidate, FILE *out)
{
    char label[128];
    const json_t *tensors = json_object_get(candidate, "tensors");
    if (json_array_size(tensors) == 0)
        return;
    fprintf(out, "%s\n%-34s %-6s %8s %8s  %9s %9s %9s\n",
            shown(loss_string(candidate, "label"), label), "matrix", "type", "SQNR, dB", "expected",
            "rel. RMSE", "output", "cosine");
    for (size_t i = 0; i < json_array_size(tensors); i++)
        tensor_line(json_array_get(tensors, i), out);
    fputc('\n', out);
}

void loss_table(const json_t *report, bool details, bool layers, FILE *stream)
{
    const json_t *texts = json_object_get(report, "texts");
    const json_t *candidates = json_object_get(report, "candidates");
    four_answers(report, stream);
    for (size_t i = 0; i < json_array_size(texts); i++)
        text_table(report, json_array_get(texts, i), stream);
    weights_below(report, stream);
    for (size_t i = 0; layers && i < json_array_size(candidates); i++)
        tensor_table(json_array_get(candidates, i), stream);
    for (size_t i = 0; details && i < json_array_size(candidates); i++) {
        const json_t *candidate = json_array_get(candidates, i);
        const json_t *results = json_object_get(candidate, "results");
        for (size_t k = 0; k < json_array_size(results); k++)
            details_of(candidate, json_array_get(results, k), stream);
    }
    const char *advice = loss_string(report, "advice");
    if (advice[0])
        fprintf(stream, "%s\n", advice);
}
