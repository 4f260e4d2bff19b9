/* test_loss_report.c: whole runs on stories260K with the C executor: the base against itself,
 * through a file of logits, stopped in the middle, merged; and the views of the report. */
#include "loss_charts.h"
#include "loss_endurance.h"
#include "loss_merge.h"
#include "loss_report.h"
#include "loss_tensors.h"
#include "loss_views.h"
#include "testing.h"
#include <math.h>

#define MODEL LICHEN_SHARED "/golden/models/stories260K/derived-stories260K-f32.gguf"
#define TEXT LICHEN_SHARED "/golden/text/tinyshakespeare.txt"
#define LOGITS LICHEN_TEST_OUTPUT "/stories.kld"

static const char *const texts[] = {TEXT};
static const struct loss_variant same = {
    .path = MODEL, .device = "cpu", .activations = LICHEN_ACTIVATIONS_FLOAT, .kv = LICHEN_KV_F16};
static const struct loss_variant q8_cache = {
    .path = MODEL, .device = "cpu", .activations = LICHEN_ACTIVATIONS_FLOAT, .kv = LICHEN_KV_Q8_0};

struct seen {
    uint32_t chunks;     /* of the last call */
    uint32_t stop_after; /* 0 = never */
    uint64_t done, total;
};

static bool watch_progress(void *context, const struct loss_progress *progress)
{
    struct seen *seen = context;
    seen->chunks = progress->chunks;
    seen->done = progress->done;
    seen->total = progress->total;
    assert_true(progress->done <= progress->total);
    return !seen->stop_after || progress->chunks < seen->stop_after;
}

static void ignore_activity(void *context, const char *what, const char *about)
{
    (void)context;
    assert_non_null(what);
    assert_non_null(about);
}

static struct loss_request request_of(const struct loss_variant *candidates, size_t count,
                                      struct seen *seen)
{
    return (struct loss_request){.command = "lichen loss",
                                 .base = same,
                                 .candidates = candidates,
                                 .candidate_count = count,
                                 .texts = texts,
                                 .text_count = 1,
                                 .protocol = LOSS_LLAMA,
                                 .ctx = 128,
                                 .chunks_max = 10,
                                 .threads = 2,
                                 .level = 0.95,
                                 .seed = 1,
                                 .progress = watch_progress,
                                 .activity = ignore_activity,
                                 .context = seen};
}

static json_t *run(const struct loss_request *request)
{
    json_t *report = NULL;
    struct fault fault = {0};
    if (!loss_report(request, &report, &fault))
        fail_msg("%s", fault.text);
    return report;
}

static const json_t *result_of(const json_t *report, size_t candidate)
{
    return loss_result(json_array_get(json_object_get(report, "candidates"), candidate),
                       "tinyshakespeare.txt");
}

#define NEED                                                                                       \
    do {                                                                                           \
        if (!test_file_exists(MODEL) || !test_file_exists(TEXT))                                   \
            SKIP("stories260K is not there");                                                      \
    } while (0)

/* ---- the report ---- */

static void test_same_and_cache(void **state)
{
    (void)state;
    NEED;
    const struct loss_variant candidates[] = {same, q8_cache};
    struct seen seen = {0};
    struct loss_request request = request_of(candidates, 2, &seen);
    request.tensors = true;
    request.floor_chunks = 2;
    request.stability_tokens = 40;
    json_t *report = run(&request);
    const json_t *equal = result_of(report, 0), *cache = result_of(report, 1);
    assert_true(loss_number(equal, "kld", "mean", NULL) == 0);
    assert_true(loss_number(equal, "kld", "max", NULL) == 0);
    assert_true(loss_number(equal, "top1", NULL) == 1 && loss_number(equal, "top10", NULL) == 1);
    assert_true(loss_number(equal, "ppl_ratio", "value", NULL) == 1);
    double kld = loss_number(cache, "kld", "mean", NULL);
    assert_true(kld > 0 && kld < 0.1);
    assert_true(loss_number(cache, "tokens", NULL) == 10 * 63);
    assert_int_equal(json_array_size(json_object_get(cache, "kld_chunks")), 10);
    const json_t *pair = json_array_get(json_object_get(report, "pairs"), 0);
    assert_string_equal(loss_string(pair, "verdict"), "better");
    assert_true(loss_number(pair, "a", NULL) == 0 && loss_number(pair, "b", NULL) == 1);
    const json_t *base = json_object_get(report, "base");
    assert_int_equal(strlen(loss_string(base, "sha256")), 64);
    const json_t *types = json_object_get(base, "types");
    assert_int_equal(json_array_size(types), 1);
    assert_string_equal(loss_string(json_array_get(types, 0), "type"), "F32");
    assert_true(loss_number(json_array_get(types, 0), "tensors", NULL) == 47);
    assert_true(loss_number(json_array_get(types, 0), "weights", NULL) == 260032);
    assert_true(loss_number(json_array_get(types, 0), "bytes", NULL) == 4 * 260032);
    assert_true(json_is_true(json_object_get(equal, "at_floor")));
    assert_true(json_is_false(json_object_get(cache, "at_floor")));
    const json_t *change = json_object_get(json_object_get(cache, "ppl_difference"), "ci95");
    assert_int_equal(json_array_size(change), 2);
    assert_true(loss_number(base, "stability", "tokens", NULL) == 40);
    assert_true(loss_number(base, "speed", "tokens_per_s", NULL) > 0);
    const json_t *first = json_array_get(json_object_get(report, "candidates"), 0);
    assert_true(loss_number(first, "stability", "kld_last", NULL) == 0);
    assert_null(json_object_get(first, "tensors")); /* the base's own file */
    assert_true(json_is_true(json_object_get(report, "complete")));
    assert_true(loss_string(report, "advice")[0] != 0);
    json_decref(report);
}

/* Threads change nothing. */
static void test_threads(void **state)
{
    (void)state;
    NEED;
    struct seen seen = {0};
    struct loss_request request = request_of(&q8_cache, 1, &seen);
    json_t *two = run(&request);
    request.threads = 1;
    json_t *one = run(&request);
    assert_true(json_equal(two, one));
    json_decref(one);
    json_decref(two);
}

/* The base's logits on disk instead of the base: the same KLD but for 16 bits. */
static void test_logits_file(void **state)
{
    (void)state;
    NEED;
    const struct loss_variant candidates[] = {same, q8_cache};
    struct seen seen = {0};
    struct loss_request request = request_of(candidates, 2, &seen);
    request.save_logits = LOGITS;
    json_t *direct = run(&request);
    request.save_logits = NULL;
    request.base_logits = LOGITS;
    request.base = (struct loss_variant){0};
    request.text_count = 0;
    json_t *filed = run(&request);
    const json_t *candidates_filed = json_object_get(filed, "candidates");
    const json_t *own = loss_result(json_array_get(candidates_filed, 0), "stories.kld");
    const json_t *cache = loss_result(json_array_get(candidates_filed, 1), "stories.kld");
    /* log probabilities of 16 bits are off by 1e-4 each, and are not normalized again (as in
     * llama-perplexity): what is left of that in the mean over 630 tokens */
    print_message("KLD through the file: %g\n", loss_number(own, "kld", "mean", NULL));
    assert_true(fabs(loss_number(own, "kld", "mean", NULL)) < 5e-6);
    double expected = loss_number(result_of(direct, 1), "kld", "mean", NULL);
    assert_true(fabs(loss_number(cache, "kld", "mean", NULL) - expected) < 5e-6);
    assert_true(fabs(loss_number(cache, "ppl_base", NULL) /
                         loss_number(result_of(direct, 1), "ppl_base", NULL) -
                     1) < 1e-4);
    assert_null(json_object_get(json_object_get(filed, "base"), "probability_excess"));
    json_decref(direct);
    json_decref(filed);
}

/* Stopped after three windows: their figures are there, and no file of logits is. */
static void test_stopped(void **state)
{
    (void)state;
    NEED;
    struct seen seen = {.stop_after = 3};
    struct loss_request request = request_of(&q8_cache, 1, &seen);
    struct fault fault = {0};
    json_t *report = NULL;
    request.save_logits = LICHEN_TEST_OUTPUT "/stopped.kld";
    assert_false(loss_report(&request, &report, &fault));
    assert_int_equal(fault.kind, FAULT_CANCELLED);
    assert_non_null(report);
    assert_true(json_is_false(json_object_get(report, "complete")));
    assert_true(loss_number(result_of(report, 0), "chunks", NULL) == 3);
    assert_false(test_file_exists(LICHEN_TEST_OUTPUT "/stopped.kld"));
    json_decref(report);
    seen.stop_after = 0;
    request.ctx = 1 << 20;
    assert_false(loss_report(&request, &report, &(struct fault){0}));
    assert_null(report);
}

static void test_hf(void **state)
{
    (void)state;
    NEED;
    struct seen seen = {0};
    struct loss_request request = request_of(&q8_cache, 1, &seen);
    request.protocol = LOSS_HF;
    request.chunks_max = 3;
    json_t *report = run(&request);
    assert_true(loss_number(result_of(report, 0), "tokens", NULL) == 3 * 127);
    assert_string_equal(loss_string(report, "protocol"), "hf");
    json_decref(report);
}

/* Every window scores its last 16; views and JSON say so, and of what the intervals are. */
static void test_strided(void **state)
{
    (void)state;
    NEED;
    struct seen seen = {0};
    struct loss_request request = request_of(&q8_cache, 1, &seen);
    char level[24], windows[128];
    request.protocol = LOSS_STRIDED;
    request.stride = 16;
    request.chunks_max = 3;
    request.level = 0.9;
    json_t *report = run(&request);
    assert_true(loss_number(result_of(report, 0), "tokens", NULL) == 127 + 16 + 16);
    assert_string_equal(loss_windows_text(report, windows),
                        "protocol strided, windows of 128 tokens every 16");
    assert_string_equal(loss_level(report, level), "90 %");
    const json_t *part = json_array_get(json_object_get(result_of(report, 0), "positions"), 0);
    assert_true(loss_number(part, "from", NULL) == 0);
    json_t *other = json_deep_copy(report);
    struct fault fault = {0};
    json_object_set_new(other, "level", json_real(0.95));
    assert_false(loss_merge(report, other, "other.json", &fault));
    assert_non_null(strstr(fault.text, "intervals of 95 %, expected 90 %"));
    json_object_set_new(other, "stride", json_integer(32));
    fault = (struct fault){0};
    assert_false(loss_merge(report, other, "other.json", &fault));
    assert_non_null(strstr(fault.text, "every 32; expected"));
    json_decref(other);
    json_decref(report);
}

static void test_merge(void **state)
{
    (void)state;
    NEED;
    struct seen seen = {0};
    struct loss_request request = request_of(&same, 1, &seen);
    struct fault fault = {0};
    json_t *first = run(&request);
    request.candidates = &q8_cache;
    json_t *second = run(&request);
    assert_true(loss_merge(first, second, "second.json", &fault));
    assert_int_equal(json_array_size(json_object_get(first, "candidates")), 2);
    assert_string_equal(loss_string(json_array_get(json_object_get(first, "pairs"), 0), "verdict"),
                        "better");
    assert_true(loss_merge(first, second, "second.json", &fault)); /* nothing new */
    assert_int_equal(json_array_size(json_object_get(first, "candidates")), 2);
    json_object_set_new(second, "protocol", json_string("hf"));
    assert_false(loss_merge(first, second, "second.json", &fault));
    assert_non_null(strstr(fault.text, "not comparable"));
    json_decref(first);
    json_decref(second);
    json_t *none;
    static const char other[] = "{\"schema\":1}", broken[] = "{";
    assert_false(loss_report_parse(other, sizeof other - 1, "x.json", &none, &(struct fault){0}));
    assert_false(loss_report_parse(broken, 1, "x.json", &none, &(struct fault){0}));
}

/* Against llama.cpp on the F32 expansion: tests/golden/loss/README.md. */
static void test_llama(void **state)
{
    (void)state;
    NEED;
    const struct loss_variant quantized = {.path = LICHEN_TEST_DATA
                                           "/golden/loss/stories260K.q4_0.gguf",
                                           .device = "cpu",
                                           .activations = LICHEN_ACTIVATIONS_FLOAT,
                                           .kv = LICHEN_KV_F16};
    json_t *golden = json_load_file(LICHEN_TEST_DATA "/golden/loss/llama.json", 0, NULL);
    assert_non_null(golden);
    struct seen seen = {0};
    struct loss_request request = request_of(&quantized, 1, &seen);
    request.ctx = (uint32_t)loss_number(golden, "ctx", NULL);
    request.chunks_max = (uint32_t)loss_number(golden, "chunks", NULL);
    json_t *report = run(&request);
    const json_t *result = result_of(report, 0), *files = json_object_get(golden, "files");
    const json_t *base = json_array_get(files, 0), *theirs = json_array_get(files, 1);
    const json_t *text = json_array_get(json_object_get(report, "texts"), 0);
    assert_true(loss_number(text, "tokens", NULL) == loss_number(golden, "tokens", NULL));
    assert_string_equal(loss_string(text, "sha256"), loss_string(golden, "sha256"));
    double ppl_base = loss_number(result, "ppl_base", NULL) / loss_number(base, "ppl", NULL);
    double ppl = loss_number(result, "ppl", NULL) / loss_number(theirs, "ppl", NULL);
    double kld = loss_number(result, "kld", "mean", NULL) / loss_number(theirs, "kld_mean", NULL);
    print_message("PPL %+.4f %%, base %+.4f %%, KLD %+.4f %%\n", 100 * (ppl - 1),
                  100 * (ppl_base - 1), 100 * (kld - 1));
    assert_true(fabs(ppl_base - 1) < 0.0005 && fabs(ppl - 1) < 0.0005);
    assert_true(fabs(kld - 1) < 0.01);
    double median = loss_number(result, "kld", "median", NULL);
    assert_true(fabs(median / loss_number(theirs, "kld_median", NULL) - 1) < 0.01);
    double top1 = loss_number(result, "top1", NULL);
    assert_true(fabs(top1 - loss_number(theirs, "top1", NULL)) < 0.003);
    json_decref(report);
    json_decref(golden);
}

/* ---- views ---- */

static char *view_of(const json_t *report, void (*view)(const json_t *report, FILE *stream))
{
    char path[] = LICHEN_TEST_OUTPUT "/view.txt";
    FILE *file = fopen(path, "w+b");
    assert_non_null(file);
    view(report, file);
    long size = ftell(file);
    char *text = calloc(1, (size_t)size + 1);
    assert_non_null(text);
    rewind(file);
    assert_int_equal(fread(text, 1, (size_t)size, file), size);
    fclose(file);
    return text;
}

static void table_with_details(const json_t *report, FILE *stream)
{
    loss_table(report, true, true, stream);
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;
    while ((text = strstr(text, part))) {
        count++;
        text += strlen(part);
    }
    return count;
}

static void test_views(void **state)
{
    (void)state;
    NEED;
    struct seen seen = {0};
    struct loss_request request = request_of(&q8_cache, 1, &seen);
    request.command = "lichen loss <b>&\"quoted\"";
    json_t *report = run(&request);
    void *png;
    size_t size;
    struct fault fault = {0};
    char *html = view_of(report, loss_html), *csv = view_of(report, loss_csv);
    assert_non_null(strstr(html, "&lt;b&gt;&amp;&quot;quoted&quot;"));
    assert_null(strstr(html, "<script"));
    assert_null(strstr(html, "http")); /* nothing from elsewhere */
    assert_int_equal(count_of(html, "<svg"), 3);
    assert_int_equal(count_of(html, "</svg>"), 3);
    assert_null(strstr(html, "nan"));
    assert_int_equal(count_of(csv, "\n"), 2);
    free(html);
    free(csv);
    char *table = view_of(report, table_with_details), *rows = view_of(report, loss_markdown);
    assert_non_null(strstr(table, "Mean    KLD"));
    assert_non_null(strstr(table, "Same top p"));
    assert_int_equal(count_of(rows, "\n"), 3);
    free(table);
    free(rows);
    assert_true(loss_png(report, &png, &size, &fault));
    assert_true(size > 1000);
    assert_memory_equal(png, "\x89PNG", 4);
    free(png);
    json_decref(report);
}

/* A report that says nothing is shown as nothing, not as zeros. */
/* Two of three matrices are flagged, by 6 and 9 dB; the third is 1 dB below, as a refined one may
 * be. */
static void test_below_expected(void **state)
{
    (void)state;
    const json_t *worst;
    double shortfall;
    json_t *report = json_pack(
        "{s:[{s:s, s:[{s:s,s:s,s:f,s:f,s:b}, {s:s,s:s,s:f,s:f,s:b}, {s:s,s:s,s:f,s:f,s:b}]}]}",
        "candidates", "label", "A", "tensors", "name", "blk.0.attn_q.weight", "type", "Q4_0",
        "sqnr_db", 15.0, "sqnr_expected_db", 21.0, "below_expected", 1, "name",
        "blk.1.attn_q.weight", "type", "Q8_0", "sqnr_db", 36.0, "sqnr_expected_db", 45.0,
        "below_expected", 1, "name", "blk.2.attn_q.weight", "type", "Q4_0", "sqnr_db", 20.0,
        "sqnr_expected_db", 21.0, "below_expected", 0);
    const json_t *candidate = json_array_get(json_object_get(report, "candidates"), 0);
    assert_int_equal(loss_below_expected(candidate, &worst, &shortfall), 2);
    assert_string_equal(loss_string(worst, "name"), "blk.1.attn_q.weight");
    assert_true(shortfall == 9);
    char *table = view_of(report, table_with_details), *html = view_of(report, loss_html);
    assert_non_null(strstr(table, "A: 2 matrices noisier than their type has to be, the worst "
                                  "blk.1.attn_q.weight (Q8_0) by 9.0 dB"));
    assert_non_null(strstr(html, "noisier than the type has to be: 2</b>, the worst "
                                 "blk.1.attn_q.weight (Q8_0) by 9.0 dB"));
    free(table);
    free(html);
    assert_int_equal(loss_below_expected(report, &worst, &shortfall), 0);
    assert_null(worst);
    json_decref(report);
}

/* Numbers that no run gives: the pictures end, and no number is "nan". */
static void test_hostile_tensors(void **state)
{
    (void)state;
    static const double noises[] = {1e300, -1e300, 1e17, 999};
    for (int i = 0; i < 4; i++) {
        void *png;
        size_t size;
        struct fault fault = {0};
        json_t *report = json_pack(
            "{s:i, s:i, s:[], s:[{s:s, s:[{s:s, s:s}], s:[{s:s, s:f, s:b}]}]}", "ctx", 512, "seed",
            1, "texts", "candidates", "label", "A", "types", "type", "Q4_0", "weights", "many",
            "tensors", "name", "blk.0.a.weight", "sqnr_db", noises[i], "below_expected", 1);
        assert_non_null(report);
        char *table = view_of(report, table_with_details), *html = view_of(report, loss_html);
        assert_null(strstr(html, "nan"));
        assert_null(strstr(table, "noisier"));
        free(table);
        free(html);
        assert_true(loss_png(report, &png, &size, &fault));
        free(png);
        json_decref(report);
    }
}

static void test_empty_views(void **state)
{
    (void)state;
    json_t *report = json_pack("{s:i, s:s, s:{}, s:[{}], s:[{s:s}], s:[]}", "schema", 1, "protocol",
                               "llama", "base", "candidates", "texts", "name", "a", "pairs");
    void *png;
    size_t size;
    struct fault fault = {0};
    assert_non_null(report);
    free(view_of(report, loss_html));
    free(view_of(report, loss_csv));
    free(view_of(report, loss_markdown));
    free(view_of(report, table_with_details));
    assert_true(loss_png(report, &png, &size, &fault));
    free(png);
    json_decref(report);
}

/* ---- advice ---- */

static json_t *advised(const char *label, double bytes, double kld, double ratio, double lost)
{
    return json_pack("{s:s, s:f, s:[{s:s, s:i, s:{s:f}, s:{s:f}, s:{s:f}}]}", "label", label,
                     "bytes", bytes, "results", "text", "a", "chunks", 100, "kld", "mean", kld,
                     "ppl_ratio", "value", ratio, "flips", "right_to_wrong", lost);
}

static void assert_advice(json_t *candidates, const char *expected)
{
    char advice[512];
    json_t *report = json_pack("{s:[{s:s}], s:o}", "texts", "name", "a", "candidates", candidates);
    assert_non_null(report);
    loss_advice(report, advice, sizeof advice);
    assert_string_equal(advice, expected);
    json_decref(report);
}

static void test_advice(void **state)
{
    (void)state;
    assert_advice(json_pack("[o, o, o]", advised("Q8_0", 145e6, 0.002, 1.000, 0.004),
                            advised("Q4_0", 92e6, 0.4, 1.3, 0.08),
                            advised("Q4_K_M", 104e6, 0.01, 1.005, 0.009)),
                  "Q4_K_M loses nothing you would notice here: 0.9 of 100 next words wrong that "
                  "the base has right; Q4_0 saves 12 MB more and gets 8.0 of 100 wrong.");
    assert_advice(json_pack("[o, o]", advised("Q6", 12e6, 0.1, 1.05, 0.02),
                            advised("Q4", 9e6, 0.2, 1.1, 0.12)),
                  "Every candidate would be noticed here, Q6 the least: 2.0 of 100 next words "
                  "wrong that the base has right; Q4 saves 3.0 MB more and gets 12 of 100 wrong.");
    assert_advice(json_array(), "");
    /* of one size, the one that loses clearly less; else the first */
    assert_advice(json_pack("[o, o, o]", advised("A8", 9e6, 0.002, 1, 0.001),
                            advised("A16", 9e6, 0.001, 1, 0.001),
                            advised("float", 9e6, 0.000999, 1, 0.001)),
                  "A16 loses nothing you would notice here: 0.1 of 100 next words wrong that the "
                  "base has right.");
}

/* ---- weights, repetition ---- */

static void test_weights(void **state)
{
    (void)state;
    const float base[4] = {1, -2, 3, 0}, candidate[4] = {1, -1, 3, 1};
    struct loss_weights sums = {0};
    loss_weights_add(&sums, base, candidate, 4);
    assert_true(sums.base == 14 && sums.error == 2 && sums.candidate == 12 && sums.product == 12);
    assert_true(sums.base_peak == 3 && sums.error_peak == 1);
}

/* W = [1 2], W' = [1 1], H = [2 1; 1 3]: w H w = 2 + 4 + 12 = 18, e = [0 -1]: e H e = 3,
 * w H e = -(1 + 6) = -7. With the diagonal alone: 14, 3, -6. */
static void test_outputs(void **state)
{
    (void)state;
    const float base[2] = {1, 2}, candidate[2] = {1, 1}, matrix[4] = {2, 1, 1, 3};
    const float diagonal[2] = {2, 3};
    struct loss_weights sums = {0};
    loss_output_add(&sums, base, candidate, 2, matrix, diagonal);
    assert_true(sums.output == 18 && sums.output_error == 3 && sums.output_product == -7);
    sums = (struct loss_weights){0};
    loss_output_add(&sums, base, candidate, 2, NULL, diagonal);
    assert_true(sums.output == 14 && sums.output_error == 3 && sums.output_product == -6);
    loss_output_add(&sums, base, candidate, 2, NULL, NULL);
    assert_true(sums.output == 14);
}

/* A row of 127 and 31 times 1/4: Q8_0's scale is 1 and its codes 127 0 .. 0, error 31 / 16. A
 * candidate with 3/4 in their place has 31 / 4, four times that; one with the same codes as much.
 */
static void test_expected(void **state)
{
    (void)state;
    float base[32], rounded[32] = {127}, damaged[32] = {127};
    unsigned char blocks[128];
    struct loss_weights sums = {0};
    for (int i = 0; i < 32; i++) {
        base[i] = i ? 0.25F : 127;
        damaged[i] = i ? 0.75F : 127;
    }
    assert_true(isnan(loss_shortfall_db(&sums)));
    loss_expected_add(&sums, DTYPE_Q8_0, base, rounded, 32, blocks);
    assert_true(sums.expected_error == 31 / 16.0 && sums.sampled_error == 31 / 16.0);
    assert_true(loss_shortfall_db(&sums) == 0);
    sums = (struct loss_weights){0};
    loss_expected_add(&sums, DTYPE_Q8_0, base, damaged, 32, blocks);
    assert_true(sums.sampled_error == 31 / 4.0);
    assert_true(fabs(loss_shortfall_db(&sums) - 10 * log10(4)) < 1e-12);
    sums = (struct loss_weights){0};
    loss_expected_add(&sums, DTYPE_F32, base, damaged, 32, blocks); /* exact: nothing to expect */
    assert_true(isnan(loss_shortfall_db(&sums)));
}

static void test_tensors(void **state)
{
    (void)state;
    NEED;
    struct parallel *parallel;
    struct fault fault = {0};
    const char *candidates[2] = {MODEL, MODEL};
    json_t *tensors[2];
    assert_true(parallel_create(2, &parallel, &fault));
    const struct loss_tensors_options options = {.parallel = parallel};
    assert_true(loss_tensors(MODEL, candidates, 2, &options, tensors, &fault));
    assert_int_equal(json_array_size(tensors[0]), 36); /* 5 layers of 7, and the embedding */
    assert_true(json_equal(tensors[0], tensors[1]));
    const json_t *first = json_array_get(tensors[1], 0);
    assert_true(json_is_null(json_object_get(first, "sqnr_db"))); /* no noise at all */
    assert_true(loss_number(first, "relative_rmse", NULL) == 0);
    assert_true(fabs(loss_number(first, "cosine", NULL) - 1) < 1e-12);
    json_decref(tensors[0]);
    json_decref(tensors[1]);
    candidates[1] = "nothing.gguf";
    assert_false(loss_tensors(MODEL, candidates, 2, &options, tensors, &fault));
    assert_true(!tensors[0] && !tensors[1]);
    assert_non_null(strstr(fault.text, "nothing.gguf"));
    parallel_destroy(parallel);
}

static void test_repetition(void **state)
{
    (void)state;
    int32_t ids[64];
    for (int i = 0; i < 64; i++)
        ids[i] = i;
    assert_true(loss_repetition(ids, 0, 64) == 0);
    for (int i = 0; i < 64; i++)
        ids[i] = i % 5;
    assert_true(loss_repetition(ids, 0, 64) == 1);
    for (int i = 0; i < 64; i++)
        ids[i] =
            i < 56 ? i : i - 56; /* the last 8: 5 runs stand at the beginning, 13 begin later */
    assert_true(fabs(loss_repetition(ids, 0, 64) - 5.0 / 13) < 1e-12);
    assert_true(loss_repetition(ids, 60, 64) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_and_cache),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_logits_file),
        cmocka_unit_test(test_stopped),
        cmocka_unit_test(test_hf),
        cmocka_unit_test(test_strided),
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_empty_views),
        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_tensors),
        cmocka_unit_test(test_expected),
        cmocka_unit_test(test_below_expected),
        cmocka_unit_test(test_hostile_tensors),
        cmocka_unit_test(test_llama),
        cmocka_unit_test(test_advice),
        cmocka_unit_test(test_outputs),
        cmocka_unit_test(test_repetition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
