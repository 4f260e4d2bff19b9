/* test_cli_loss.c: lichen loss as users and scripts meet it: what is refused, what is written, what
 * an interrupt leaves. On stories260K with the C executor. */
#include "program.h"
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define STORIES LICHEN_SHARED "/golden/models/stories260K/derived-stories260K-f32.gguf"
#define TEXT LICHEN_SHARED "/golden/text/tinyshakespeare.txt"
#define OUT LICHEN_TEST_OUTPUT
#define SMALL "--device", "cpu", "--ctx", "64", "--chunks", "4", "--stability", "0"

#define NEED                                                                                       \
    do {                                                                                           \
        if (!test_file_exists(STORIES) || !test_file_exists(TEXT))                                 \
            SKIP("stories260K is not there");                                                      \
    } while (0)

static void test_refused(void **state)
{
    (void)state;
    NEED;
    struct ran ran = LICHEN("loss", STORIES);
    assert_refused(&ran, 2, "loss: --text FILE is needed");
    ran = LICHEN("loss", "--text", TEXT);
    assert_refused(&ran, 2, "BASE is needed");
    ran = LICHEN("loss", STORIES, "kv=q4_0", "--text", TEXT);
    assert_refused(&ran, 2, "kv: expected f16, f32 or q8_0, found 'q4_0'");
    ran = LICHEN("loss", STORIES, "--activations", "8,7", "--text", TEXT);
    assert_refused(&ran, 2, "activations: expected auto, 16, 8 or float, found '7'");
    ran = LICHEN("loss", STORIES, "--protocol", "ppl", "--text", TEXT);
    assert_refused(&ran, 2, "--protocol: expected llama|hf|strided");
    ran = LICHEN("loss", STORIES, "--stride", "4", "--text", TEXT);
    assert_refused(&ran, 2, "--stride needs --protocol strided");
    ran = LICHEN("loss", STORIES, "--protocol", "strided", "--stride", "64", SMALL, "--text", TEXT);
    assert_refused(&ran, 2, "(--stride): 1 .. 63 are possible");
    ran = LICHEN("loss", STORIES, "--ci", "100", "--text", TEXT);
    assert_refused(&ran, 2, "--ci: expected 50 .. 99.9, found 100");
    ran = LICHEN("loss", STORIES, OUT "/nothing.gguf", "--text", TEXT);
    assert_refused(&ran, 1, "nothing.gguf");
    ran = LICHEN("loss", STORIES, "--text", OUT "/nothing.txt", SMALL, "--quiet");
    assert_refused(&ran, 1, "nothing.txt");
    ran = LICHEN("loss", "--base-logits", STORIES, STORIES, SMALL, "--quiet");
    assert_refused(&ran, 1, "byte 0: expected \"_logits_\"");
    ran = LICHEN("loss", STORIES, "--text", TEXT, "--text", TEXT, "--save-logits", OUT "/x.kld");
    assert_refused(&ran, 2, "--save-logits takes one --text");
    ran = LICHEN("loss", STORIES, "--text", TEXT, SMALL, "--ctx", "4000", "--quiet");
    assert_refused(&ran, 2, "the model was trained for a context of 512");
    ran = LICHEN("loss", "--merge", TEXT);
    assert_refused(&ran, 1, "tinyshakespeare.txt: line 1");
}

static json_t *json_file(const char *path)
{
    json_error_t error;
    json_t *value = json_load_file(path, 0, &error);
    if (!value)
        fail_msg("%s: line %d: %s", path, error.line, error.text);
    return value;
}

/* The keys that docs/cli.md promises. */
static void assert_schema(const json_t *report)
{
    double value;
    const char *text;
    json_t *candidates, *pairs, *result;
    json_error_t error;
    assert_int_equal(json_unpack_ex((json_t *)report, &error, 0,
                                    "{s:F, s:s, s:s, s:{s:s}, s:s, s:F, s:o, s:o}", "schema",
                                    &value, "command", &text, "version", &text, "device", "name",
                                    &text, "protocol", &text, "ctx", &value, "candidates",
                                    &candidates, "pairs", &pairs),
                     0);
    assert_int_equal(json_unpack_ex((json_t *)report, &error, 0,
                                    "{s:[{s:s, s:s, s:F, s:F}], s:{s:s, s:s, s:F, s:F}}", "texts",
                                    "name", &text, "sha256", &text, "chunks", &value, "tokens",
                                    &value, "base", "file", &text, "sha256", &text, "bytes", &value,
                                    "bpw", &value),
                     0);
    result = json_array_get(json_object_get(json_array_get(candidates, 0), "results"), 0);
    static const char *const numbers[] = {"ppl_base", "ppl", "top1", "top5", "top10"};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        assert_true(json_is_number(json_object_get(result, numbers[i])));
    static const char *const klds[] = {"mean", "iid_se", "median", "p90",
                                       "p95",  "p99",    "p999",   "max"};
    for (size_t i = 0; i < sizeof klds / sizeof klds[0]; i++)
        assert_true(json_is_number(json_object_get(json_object_get(result, "kld"), klds[i])));
    assert_int_equal(
        json_unpack_ex(result, &error, 0,
                       "{s:{s:F, s:[F,F]}, s:{s:[F,F]}, s:{s:F, s:F, s:F, s:F}, s:{s:F, s:F}}",
                       "ppl_ratio", "value", &value, "ci95", &value, &value, "kld", "ci95", &value,
                       &value, "delta_p", "mean", &value, "rms", &value, "p01", &value, "p99",
                       &value, "flips", "right_to_wrong", &value, "wrong_to_right", &value),
        0);
    assert_int_equal(json_unpack_ex(json_array_get(pairs, 0), &error, 0,
                                    "{s:F, s:F, s:s, s:{s:F, s:[F,F]}, s:s}", "a", &value, "b",
                                    &value, "text", &text, "kld_difference", "value", &value,
                                    "ci95", &value, &value, "verdict", &text),
                     0);
}

static void test_outputs(void **state)
{
    (void)state;
    NEED;
    struct ran ran = LICHEN("loss", STORIES, STORIES, "kv=q8_0", "--text", TEXT, SMALL, "--json",
                            OUT "/loss.json", "-o", OUT "/loss.html", "--csv", OUT "/loss.csv",
                            "--markdown", OUT "/loss.md", "--png", OUT "/loss.png", "--save-logits",
                            OUT "/loss.kld", "--details", "--quiet");
    assert_int_equal(ran.status, 0);
    assert_string_equal(ran.err, "");
    assert_non_null(strstr(ran.out, "score     base: PPL"));
    assert_non_null(strstr(ran.out, "KLD difference"));
    assert_non_null(strstr(ran.out, "Mean    KLD"));
    ran_free(&ran);
    json_t *report = json_file(OUT "/loss.json");
    assert_schema(report);
    json_decref(report);
    static const char *const files[] = {OUT "/loss.html", OUT "/loss.csv", OUT "/loss.md",
                                        OUT "/loss.png"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        size_t size = 0;
        char *bytes = file_bytes(files[i], &size);
        assert_non_null(bytes);
        assert_true(size > 100);
        free(bytes);
    }
    ran = LICHEN("loss", "--base-logits", OUT "/loss.kld", STORIES, "--stability", "0", "--device",
                 "cpu", "--quiet", "--json", "-");
    assert_int_equal(ran.status, 0);
    report = json_loadb(ran.out, ran.out_size, 0, NULL); /* stdout is one document */
    assert_non_null(report);
    json_decref(report);
    ran_free(&ran);
    ran = LICHEN("loss", "--merge", OUT "/loss.json", "--csv", "-", "--quiet");
    assert_int_equal(ran.status, 0);
    assert_non_null(strstr(ran.out, "candidate,text,bytes"));
    ran_free(&ran);
}

/* Each candidate once with each of the words. */
static void test_lists(void **state)
{
    (void)state;
    NEED;
    struct ran ran = LICHEN("loss", STORIES, "--kv", "q8_0,f32", "--text", TEXT, SMALL, "--quiet",
                            "--json", "-", "--no-floor");
    assert_int_equal(ran.status, 0);
    json_t *report = json_loadb(ran.out, ran.out_size, 0, NULL);
    json_t *candidates = json_object_get(report, "candidates");
    assert_int_equal(json_array_size(candidates), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(candidates, 1), "kv")),
                        "f32");
    assert_null(json_object_get(report, "floor"));
    json_decref(report);
    ran_free(&ran);
}

/* The C executor multiplies in floats: that a candidate was asked to use 8 bits is not passed over.
 */
static void test_activations_told(void **state)
{
    (void)state;
    NEED;
    struct ran ran =
        LICHEN("loss", STORIES, "activations=8", "--text", TEXT, SMALL, "--quiet", "--no-floor");
    assert_int_equal(ran.status, 0);
    assert_non_null(strstr(ran.out, "this device multiplied in floats all the same"));
    ran_free(&ran);
}

/* For scripts: status 1 and one line when a limit is passed; the report is there all the same. */
static void test_gates(void **state)
{
    (void)state;
    NEED;
    struct ran ran = LICHEN("loss", STORIES, "kv=q8_0", "--text", TEXT, SMALL, "--quiet",
                            "--fail-if-kld-above", "0.00001");
    assert_int_equal(ran.status, 1);
    assert_non_null(strstr(ran.err, "at most 1e-05 allowed"));
    assert_non_null(strstr(ran.out, "KLD"));
    ran_free(&ran);
    ran = LICHEN("loss", STORIES, STORIES, "--text", TEXT, SMALL, "--quiet", "--fail-if-kld-above",
                 "0.1", "--fail-if-top1-below", "99.9");
    assert_int_equal(ran.status, 0);
    ran_free(&ran);
    ran = LICHEN("loss", STORIES, "kv=q8_0", "--text", TEXT, SMALL, "--quiet",
                 "--fail-if-top1-below", "99.9");
    assert_int_equal(ran.status, 1);
    assert_non_null(strstr(ran.err, "at least 99.9 needed"));
    ran_free(&ran);
}

/* Weights can be compared without a text. */
static void test_layers(void **state)
{
    (void)state;
    NEED;
    struct ran ran = LICHEN("convert", STORIES, "-o", OUT "/stories.q4_0.gguf", "--type", "q4_0",
                            "--force", "--proof", "never", "--quiet");
    assert_int_equal(ran.status, 0);
    ran_free(&ran);
    ran =
        LICHEN("loss", STORIES, OUT "/stories.q4_0.gguf", "--layers", "--device", "cpu", "--quiet");
    assert_int_equal(ran.status, 0);
    assert_non_null(strstr(ran.out, "blk.4.attn_v.weight"));
    assert_non_null(strstr(ran.out, "SQNR"));
    ran_free(&ran);
}

/* The windows done so far are told, exit status 130, and what was written is whole. */
static void test_interrupt(void **state)
{
    (void)state;
    NEED;
    unlink(OUT "/stopped.json");
    assert_int_equal(
        run_and_signal(SIGINT, 6000,
                       (const char *const[]){"loss", STORIES, "kv=q8_0", "--text", TEXT, "--device",
                                             "cpu", "--ctx", "64", "--stability", "0", "--no-floor",
                                             "--json", OUT "/stopped.json", NULL}),
        130);
    json_t *report = json_file(OUT "/stopped.json");
    assert_true(json_is_false(json_object_get(report, "complete")));
    const json_t *text = json_array_get(json_object_get(report, "texts"), 0);
    assert_true(json_integer_value(json_object_get(text, "chunks")) > 0);
    json_decref(report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),   cmocka_unit_test(test_outputs),
        cmocka_unit_test(test_lists),     cmocka_unit_test(test_activations_told),
        cmocka_unit_test(test_gates),     cmocka_unit_test(test_layers),
        cmocka_unit_test(test_interrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
