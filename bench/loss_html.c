/* loss_html.c: the report as one page: styles and SVG inline, no script, nothing from elsewhere. On
 * a phone wide tables scroll inside themselves and the charts stand below each other. */
#include "loss_charts.h"
#include "loss_views.h"
#include <math.h>
#include <string.h>

enum { WORST_SHOWN = 20 };

static const char style[] =
    "body{font:16px/1.5 system-ui,sans-serif;color:#20262c;background:#fff;margin:0 auto;"
    "max-width:1240px;padding:16px}\n"
    "h1{font-size:1.5em;line-height:1.25;margin:.2em 0;overflow-wrap:anywhere}\n"
    "h2{font-size:1.2em;margin:1.8em 0 .4em;overflow-wrap:anywhere}\n"
    "h3{font-size:1em;margin:1.4em 0 .3em;overflow-wrap:anywhere}\n"
    ".advice{background:#eef5f1;border-left:4px solid #2f7d5b;padding:.6em .9em;margin:1em 0;"
    "overflow-wrap:anywhere}\n"
    ".wide{overflow-x:auto}\n"
    "table{border-collapse:collapse;font-size:.9em;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:.3em .45em;text-align:right;border-bottom:1px solid "
    "#e1e6eb;white-space:nowrap}\n"
    "th{font-weight:600;background:#f6f8f9}.tight{font-size:.82em}.tight th{white-space:normal}\n"
    "td.l,th.l{text-align:left}td.w{white-space:normal;min-width:12em;overflow-wrap:anywhere}\n"
    ".charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,340px),1fr));"
    "gap:16px;margin:.8em 0}\n"
    "figure{margin:0}svg{width:100%;height:auto;display:block;font-family:system-ui,sans-serif}\n"
    "figcaption,.small{font-size:.85em;color:#5a646e;overflow-wrap:anywhere}\n"
    ".dot{display:inline-block;width:.75em;height:.75em;border-radius:2px;margin-right:.4em}\n"
    "td .small{display:block}\n"
    "@media(max-width:640px){.stack table,.stack tbody,.stack tr,.stack td{display:block}"
    ".stack tr:first-child{display:none}.stack tr{padding:.5em 0}.stack "
    "td{border:0;text-align:left;"
    "white-space:normal;padding:.1em .3em}.stack td .small{display:inline}"
    ".stack td[data-l]:before{content:attr(data-l)\": \";color:#5a646e}}\n"
    "dl{margin:0}dt{font-weight:600;margin-top:.5em}dd{margin:0;overflow-wrap:anywhere}\n"
    "code{overflow-wrap:anywhere}mark{background:#fbe3a1}\n"
    "ul{padding-left:1.2em}";

struct page {
    const json_t *report;
    FILE *out;
};

static const json_t *list(const struct page *page, const char *key)
{
    return json_object_get(page->report, key);
}

static void put(const struct page *page, const char *text)
{
    fputs(text, page->out);
}

static void put_text(const struct page *page, const char *text)
{
    html_text(page->out, text);
}

/* digits significant digits; "-" when unknown. */
static void put_number(const struct page *page, double value, int digits)
{
    if (isfinite(value))
        fprintf(page->out, "%.*g", digits, value);
    else
        put(page, "-");
}

static void put_fixed(const struct page *page, double value, int digits)
{
    if (isfinite(value))
        fprintf(page->out, "%.*f", digits, value);
    else
        put(page, "-");
}

static void put_interval(const struct page *page, const json_t *interval)
{
    double low = loss_number(json_array_get(interval, 0), NULL);
    double high = loss_number(json_array_get(interval, 1), NULL);
    if (isfinite(low) && isfinite(high))
        fprintf(page->out, " <span class=small>[%.4g, %.4g]</span>", low, high);
}

/* "+0.034 [-0.01, 0.08]" */
static void put_difference(const struct page *page, const json_t *difference)
{
    double value = loss_number(difference, "value", NULL);
    if (!isfinite(value))
        return;
    fprintf(page->out, " <span class=small>%+.3g", value);
    double low = loss_number(json_array_get(json_object_get(difference, "ci95"), 0), NULL);
    double high = loss_number(json_array_get(json_object_get(difference, "ci95"), 1), NULL);
    if (isfinite(low) && isfinite(high))
        fprintf(page->out, " [%.3g, %.3g]", low, high);
    put(page, "</span>");
}

static void put_dot(const struct page *page, size_t candidate)
{
    fprintf(page->out, "<span class=dot style=\"background:#%06x\"></span>%zu ",
            (unsigned)loss_colors[candidate % LOSS_COLORS], candidate + 1);
}

static void put_label(const struct page *page, size_t candidate)
{
    put_dot(page, candidate);
    put_text(page, loss_string(json_array_get(list(page, "candidates"), candidate), "label"));
}

/* ---- the four questions ---- */

/* "Q4_K 62 % (84), Q6_K 38 % (12)": of the weights, and tensors. */
static void put_types(const struct page *page, const json_t *stream)
{
    const json_t *types = json_object_get(stream, "types");
    double all = loss_number(stream, "parameters", NULL);
    for (size_t i = 0; i < json_array_size(types); i++) {
        const json_t *type = json_array_get(types, i);
        put(page, i ? ", " : " <span class=small>");
        put_text(page, loss_string(type, "type"));
        put(page, " ");
        put_number(page, 100 * loss_number(type, "weights", NULL) / all, 3);
        put(page, "&nbsp;% (");
        put_fixed(page, loss_number(type, "tensors", NULL), 0);
        put(page, ")");
    }
    if (json_array_size(types))
        put(page, "</span>");
}

static void answer_row(const struct page *page, const json_t *stream, bool base)
{
    const char *text = loss_string(json_array_get(list(page, "texts"), 0), "name");
    const json_t *result = loss_result(stream, text);
    const json_t *speed = json_object_get(stream, "speed");
    const json_t *stability = json_object_get(stream, "stability");
    put(page, "<td data-l=score>");
    put_number(page,
               base ? loss_number(result, "ppl", "value", NULL) : loss_number(result, "ppl", NULL),
               4);
    put_interval(page, base ? json_object_get(json_object_get(result, "ppl"), "ci95")
                            : json_object_get(result, "ppl_ci95"));
    put(page, "<td data-l=size>");
    put_fixed(page, loss_number(stream, "parameters", NULL) / 1e6, 1);
    put(page, " M &times; ");
    put_fixed(page, loss_number(stream, "bpw", NULL), 2);
    put(page, " bits = ");
    put_fixed(page, loss_number(stream, "bytes", NULL) / 1e6, 1);
    put(page, " MB");
    put_types(page, stream);
    put(page, "<td data-l=response>");
    if (speed) {
        put_number(page, loss_number(speed, "first_token_s", NULL), 3);
        put(page, " s; ");
        put_number(page, loss_number(speed, "tokens_per_s", NULL), 4);
        put(page, " tokens/s");
    } else {
        put(page, "not measured");
    }
    put(page, "<td class=\"l w\" data-l=\"long run\">");
    put_text(page, stability ? loss_string(stability, "verdict") : "not measured");
    put(page, "\n");
}

static void four_answers(const struct page *page)
{
    put(page, "<div class=\"wide stack\"><table><tr><th class=l>file<th>score: "
              "perplexity<th>size<th>response "
              "time<th class=l>long run\n<tr><td class=\"l w\">base: ");
    put_text(page, loss_string(list(page, "base"), "label"));
    answer_row(page, list(page, "base"), true);
    for (size_t i = 0; i < json_array_size(list(page, "candidates")); i++) {
        put(page, "<tr><td class=\"l w\">");
        put_label(page, i);
        answer_row(page, json_array_get(list(page, "candidates"), i), false);
    }
    put(page, "</table></div>\n");
}

/* ---- a text ---- */

static void result_row(const struct page *page, size_t candidate, const json_t *result)
{
    const json_t *ratio = json_object_get(result, "ppl_ratio"),
                 *kld = json_object_get(result, "kld");
    static const char *const shares[] = {"median", "p99", "max"};
    put(page, "<tr><td class=\"l w\">");
    put_label(page, candidate);
    put(page, "<td>");
    put_number(page, loss_number(result, "ppl", NULL), 5);
    put_difference(page, json_object_get(result, "ppl_difference"));
    put(page, "<td>");
    put_number(page, loss_number(ratio, "value", NULL), 5);
    put_interval(page, json_object_get(ratio, "ci95"));
    put(page, "<td>");
    put_number(page, loss_number(kld, "mean", NULL), 4);
    put_interval(page, json_object_get(kld, "ci95"));
    if (json_is_true(json_object_get(result, "at_floor")))
        put(page, " <span class=small>at the noise floor</span>");
    for (size_t i = 0; i < 3; i++) {
        put(page, "<td>");
        put_number(page, loss_number(kld, shares[i], NULL), 3);
    }
    static const char *const tops[] = {"top1", "top5", "top10"};
    for (size_t i = 0; i < 3; i++) {
        put(page, "<td>");
        put_fixed(page, 100 * loss_number(result, tops[i], NULL), 2);
    }
    put(page, "<td>");
    put_fixed(page, 100 * loss_number(result, "flips", "right_to_wrong", NULL), 2);
    put(page, " / ");
    put_fixed(page, 100 * loss_number(result, "flips", "wrong_to_right", NULL), 2);
    put(page, "<td>");
    put_fixed(page, 100 * loss_number(result, "delta_p", "rms", NULL), 2);
    put(page, "\n");
}

static void result_table(const struct page *page, const char *text)
{
    put(page, "<div class=wide><table class=tight><tr><th class=l>candidate<th>PPL, change<th>PPL "
              "ratio<th>mean KLD, "
              "nats<th>median<th>99 %<th>max<th>top-1, %<th>top-5, %<th>top-10, %<th>lost / "
              "won, %<th>&Delta;p rms, points\n");
    for (size_t i = 0; i < json_array_size(list(page, "candidates")); i++) {
        const json_t *result = loss_result(json_array_get(list(page, "candidates"), i), text);
        if (result)
            result_row(page, i, result);
    }
    put(page, "</table></div>\n");
}

static void pair_item(const struct page *page, const json_t *pair)
{
    const char *verdict = loss_string(pair, "verdict");
    double needed = loss_number(pair, "chunks_needed", NULL);
    put(page, "<li>");
    put_label(page, loss_index(pair, "a"));
    if (strcmp(verdict, "better") == 0 || strcmp(verdict, "worse") == 0)
        fprintf(page->out, " is <b>%s</b> than ", verdict);
    else
        put(page, " and ");
    put_label(page, loss_index(pair, "b"));
    if (strcmp(verdict, "equal") == 0)
        put(page, " are equal");
    else if (strcmp(verdict, "indistinguishable") == 0)
        put(page, " are <b>not distinguishable</b>");
    put(page, ": KLD difference ");
    put_number(page, loss_number(pair, "kld_difference", "value", NULL), 3);
    put_interval(page, json_object_get(json_object_get(pair, "kld_difference"), "ci95"));
    put(page, ", ");
    put_number(page, loss_pair_percent(page->report, pair), 3);
    put(page, " %");
    if (isfinite(needed) && needed > 0 && needed < 1e6)
        fprintf(page->out, "; about %.0f windows needed", needed);
    put(page, "\n");
}

static void pair_list(const struct page *page, const char *text)
{
    bool any = false;
    for (size_t i = 0; i < json_array_size(list(page, "pairs")); i++) {
        const json_t *pair = json_array_get(list(page, "pairs"), i);
        if (!loss_pair_shown(page->report, pair, text))
            continue;
        put(page, any ? "" : "<ul>\n");
        any = true;
        pair_item(page, pair);
    }
    put(page, any ? "</ul>\n" : "");
}

static void text_charts(const struct page *page, const char *text)
{
    static bool (*const charts[])(struct drawing * drawing, const json_t *report,
                                  const char *text) = {loss_chart_size, loss_chart_delta,
                                                       loss_chart_position};
    static const char *const titles[] = {"Loss against size", "Change of probability",
                                         "Loss by position"};
    struct drawing drawing;
    put(page, "<div class=charts>\n");
    for (size_t i = 0; i < 3; i++) {
        put(page, "<figure>");
        drawing_svg_begin(&drawing, page->out, LOSS_SHEET_WIDTH, LOSS_SHEET_HEIGHT, titles[i]);
        bool drawn = charts[i](&drawing, page->report, text);
        drawing_svg_end(&drawing);
        put(page,
            drawn ? "</figure>\n" : "<figcaption>nothing to show: no loss</figcaption></figure>\n");
    }
    put(page, "</div>\n");
}

/* ---- worst tokens ---- */

static void worst_row(const struct page *page, const json_t *token)
{
    put(page, "<tr><td>");
    put_number(page, loss_number(token, "kld", NULL), 3);
    put(page, "<td class=\"l w\">&hellip;");
    put_text(page, loss_string(token, "before"));
    put(page, "<mark>");
    put_text(page, loss_string(token, "token"));
    put(page, "</mark><td>");
    put_fixed(page, 100 * loss_number(token, "p_base", NULL), 1);
    put(page, "<td>");
    put_fixed(page, 100 * loss_number(token, "p", NULL), 1);
    put(page, "<td class=l>");
    put_text(page, loss_string(token, "likeliest_base"));
    put(page, "<td class=l>");
    put_text(page, loss_string(token, "likeliest"));
    put(page, "\n");
}

static void worst_tokens(const struct page *page, size_t candidate, const json_t *result)
{
    const json_t *worst = json_object_get(result, "worst");
    if (!(loss_number(json_array_get(worst, 0), "kld", NULL) > 0))
        return;
    put(page, "<details><summary>Worst tokens of ");
    put_label(page, candidate);
    put(page, "</summary><div class=wide><table><tr><th>KLD<th class=l>text, true token "
              "marked<th>base, %<th>candidate, %<th class=l>base says<th class=l>candidate says\n");
    for (size_t i = 0; i < json_array_size(worst) && i < WORST_SHOWN; i++)
        worst_row(page, json_array_get(worst, i));
    put(page, "</table></div></details>\n");
}

static void text_section(const struct page *page, const json_t *text)
{
    const char *name = loss_string(text, "name");
    const json_t *base = loss_result(list(page, "base"), name);
    const json_t *floor = loss_result(list(page, "floor"), name);
    put(page, "<h2>");
    put_text(page, name);
    put(page, "</h2>\n<p>");
    fprintf(page->out, "%.0f windows, %.0f tokens scored; base perplexity ",
            loss_number(text, "chunks", NULL), loss_number(text, "scored", NULL));
    put_number(page, loss_number(base, "ppl", "value", NULL), 5);
    put_interval(page, json_object_get(json_object_get(base, "ppl"), "ci95"));
    if (floor) {
        put(page, "; noise floor (base against itself, ");
        put_text(page, loss_string(list(page, "floor"), "how"));
        put(page, "): KLD ");
        put_number(page, loss_number(floor, "kld", "mean", NULL), 3);
    }
    put(page, "</p>\n");
    result_table(page, name);
    text_charts(page, name);
    pair_list(page, name);
    for (size_t i = 0; i < json_array_size(list(page, "candidates")); i++)
        worst_tokens(page, i, loss_result(json_array_get(list(page, "candidates"), i), name));
}

/* ---- weights ---- */

static void put_below(const struct page *page, const json_t *candidate)
{
    const json_t *worst;
    double shortfall;
    size_t count = loss_below_expected(candidate, &worst, &shortfall);
    if (!count)
        return;
    fprintf(page->out, "<br><b>noisier than the type has to be: %zu</b>, the worst ", count);
    put_text(page, loss_string(worst, "name"));
    put(page, " (");
    put_text(page, loss_string(worst, "type"));
    fprintf(page->out, ") by %.1f dB", shortfall);
}

static void heat_maps(const struct page *page)
{
    bool any = false;
    struct drawing drawing;
    for (size_t i = 0; i < json_array_size(list(page, "candidates")); i++) {
        const json_t *candidate = json_array_get(list(page, "candidates"), i);
        if (json_array_size(json_object_get(candidate, "tensors")) == 0)
            continue;
        put(page, any ? "" : "<h2>Weights</h2>\n<div class=charts>\n");
        any = true;
        put(page, "<figure>");
        drawing_svg_begin(&drawing, page->out, LOSS_SHEET_WIDTH, LOSS_SHEET_HEIGHT,
                          "Noise of the weights by layer and matrix");
        loss_chart_layers(&drawing, page->report, i);
        drawing_svg_end(&drawing);
        put(page, "<figcaption>");
        put_label(page, i);
        put_below(page, candidate);
        put(page, "</figcaption></figure>\n");
    }
    put(page, any ? "</div>\n" : "");
}

/* ---- what it was made of ---- */

static void file_item(const struct page *page, const char *what, const json_t *stream)
{
    const json_t *device = json_object_get(stream, "device");
    put(page, "<dt>");
    put_text(page, what);
    put(page, "<dd>");
    if (loss_string(stream, "file")[0]) {
        put_text(page, loss_string(stream, "file"));
        put(page, "<br>");
    }
    put(page, "sha256 <code>");
    put_text(page, loss_string(stream, "sha256"));
    put(page, "</code>");
    if (device) {
        put(page, "<br>KV cache ");
        put_text(page, loss_string(stream, "kv"));
        put(page, ", activations ");
        put_text(page, loss_string(stream, "activations"));
        if (loss_string(stream, "activations_used")[0]) {
            put(page, " (used: ");
            put_text(page, loss_string(stream, "activations_used"));
            put(page, ")");
        }
        put(page, ", ");
        put_text(page, loss_string(device, "name"));
        put(page, " (");
        put_text(page, loss_string(device, "driver"));
        put(page, ")");
    }
    put(page, "\n");
}

static void provenance(const struct page *page)
{
    char windows[128], level[24];
    put(page, "<h2>How it was made</h2>\n<dl><dt>command<dd><code>");
    put_text(page, loss_string(page->report, "command"));
    put(page, "</code>\n<dt>lichen<dd>");
    put_text(page, loss_string(page->report, "version"));
    fprintf(page->out, ", %s, intervals %s over windows (seed %.0f)\n",
            loss_windows_text(page->report, windows), loss_level(page->report, level),
            loss_number(page->report, "seed", NULL));
    file_item(page, "base", list(page, "base"));
    for (size_t i = 0; i < json_array_size(list(page, "candidates")); i++) {
        const json_t *candidate = json_array_get(list(page, "candidates"), i);
        file_item(page, loss_string(candidate, "label"), candidate);
    }
    for (size_t i = 0; i < json_array_size(list(page, "texts")); i++)
        file_item(page, loss_string(json_array_get(list(page, "texts"), i), "name"),
                  json_array_get(list(page, "texts"), i));
    put(page, "</dl>\n");
}

static void words(const struct page *page)
{
    char level[24];
    put(page,
        "<h2>Words</h2>\n<dl class=small><dt>KLD<dd>Kullback-Leibler divergence of the candidate's "
        "next-token probabilities from the base's, in nats: 0 = the same model."
        "<dt>PPL<dd>Perplexity: among how many words the model hesitates on average."
        "<dt>top-k<dd>Share of the base's k likeliest tokens that are among the candidate's k."
        "<dt>lost / won<dd>Tokens that only the base, or only the candidate, puts first "
        "rightly.<dt>&Delta;p<dd>Change of the probability of the true token.<dt>at the noise "
        "floor<dd>The KLD is no more than what the base has against itself when it runs in other "
        "steps.<dt>types<dd>Share of the weights, and in brackets the number of tensors.<dt>[ "
        "]<dd>");
    put(page, loss_level(page->report, level));
    put(page, " interval over windows; pairs are compared window by window.</dl>\n");
}

void loss_html(const json_t *report, FILE *stream)
{
    struct page page = {report, stream};
    const char *base = loss_string(json_object_get(report, "base"), "label");
    put(&page, "<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8>\n<meta name=viewport "
               "content=\"width=device-width,initial-scale=1\">\n<title>lichen loss: ");
    put_text(&page, base);
    fprintf(stream,
            "</title>\n<style>\n%s\n</style></head><body>\n<h1>What quantization costs: ", style);
    put_text(&page, base);
    put(&page, "</h1>\n");
    if (json_is_false(json_object_get(report, "complete")))
        put(&page, "<p><b>Not complete:</b> the run was stopped; this is what was known.</p>\n");
    if (loss_string(report, "advice")[0]) {
        put(&page, "<p class=advice>");
        put_text(&page, loss_string(report, "advice"));
        put(&page, "</p>\n");
    }
    four_answers(&page);
    for (size_t i = 0; i < json_array_size(json_object_get(report, "texts")); i++)
        text_section(&page, json_array_get(json_object_get(report, "texts"), i));
    heat_maps(&page);
    provenance(&page);
    words(&page);
    put(&page, "</body></html>\n");
}
