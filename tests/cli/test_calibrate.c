/* test_calibrate.c: lichen calibrate: numpy's second moments of stories260K and llama.cpp's, in one
 * pass and in many, whatever the threads; interrupted and wrong uses leave nothing behind. */
#include "program.h"

#include "calibrate_golden.h"
#include "calibrate_peer.h"
#include "calibration.h"
#include "platform.h"

#include <math.h>
#include <signal.h>

#define STORIES LICHEN_SHARED "/golden/models/stories260K/derived-stories260K-f32.gguf"
#define FOLDER LICHEN_TEST_OUTPUT "/calibrate"
#define TEXT FOLDER "/text.txt"
#define OUT FOLDER "/imatrix.gguf"

enum { COLUMNS_MAX = 1024 };

static const char text[] =
    "Once upon a time, there was a little girl named Lily. She loved to play outside in the park. "
    "One day, she saw a big red ball and wanted to play with it. Her mom said it was not hers, so "
    "she looked for the boy who had lost it. They played together all day and became good "
    "friends.\n";

static int setup(void **state)
{
    (void)state;
    struct fault fault = {0};
    if (!test_file_exists(STORIES))
        SKIP("%s is absent", STORIES);
    if (!folder_create(FOLDER, &fault))
        fail_msg("%s", fault.text);
    file_put(TEXT, text, strlen(text));
    remove(OUT);
    return 0;
}

static void must_run(struct ran ran)
{
    if (ran.status != 0)
        fail_msg("status %d: %s", ran.status, ran.err);
    ran_free(&ran);
}

static struct calibration *must_open(const char *path)
{
    struct calibration *calibration;
    struct fault fault = {0};
    if (!calibration_open(path, &calibration, &fault))
        fail_msg("%s", fault.text);
    return calibration;
}

static void assert_near(double found, double expected, const char *what)
{
    if (!(fabs(found - expected) <= 1e-4 * fabs(expected)))
        fail_msg("%s: expected %.9g, found %.9g", what, expected, found);
}

static void check_weight(const struct calibration *calibration, const char *weight,
                         const struct calibrate_golden *golden)
{
    const float *mean;
    double squares = 0, moment = 0;
    assert_true(calibration_importance(calibration, weight, golden->columns, &mean, NULL));
    assert_non_null(mean);
    for (unsigned i = 0; i < golden->columns; i++) {
        squares += (double)mean[i];
        moment += (i + 1) * (double)mean[i];
    }
    assert_near(squares, golden->squares, weight);
    assert_near(moment, golden->moment, weight);
}

static void check_hessian(const struct calibration *calibration,
                          const struct calibrate_golden *golden)
{
    static float hessian[COLUMNS_MAX * COLUMNS_MAX];
    uint64_t tokens;
    double sum = 0;
    unsigned columns = golden->columns;
    assert_true(columns <= COLUMNS_MAX);
    assert_true(calibration_hessian(calibration, golden->weight, columns, hessian, &tokens, NULL));
    assert_int_equal(tokens, golden->tokens);
    for (unsigned i = 0; i < columns; i++)
        for (unsigned j = 0; j < columns; j++) {
            assert_true(hessian[i * columns + j] == hessian[j * columns + i]);
            sum += (double)hessian[i * columns + j] * (i + 1) / (j + 1);
        }
    assert_near(sum, golden->hessian, golden->weight);
}

static void test_moments(void **state)
{
    (void)state;
    must_run(LICHEN("calibrate", STORIES, "--text", TEXT, "--ctx", "48", "--hessian", "-o", OUT));
    struct calibration *calibration = must_open(OUT);
    for (size_t i = 0; i < sizeof calibrate_golden / sizeof calibrate_golden[0]; i++) {
        check_weight(calibration, calibrate_golden[i].weight, &calibrate_golden[i]);
        check_hessian(calibration, &calibrate_golden[i]);
    }
    check_weight(calibration, "blk.0.attn_v.weight", &calibrate_golden[0]);
    assert_string_equal(calibration_input(calibration, "blk.0.attn_v.weight"),
                        "blk.0.attn_q.weight");
    assert_true(calibration_sensitivity(calibration, "blk.0.attn_v.weight") < 0);
    calibration_close(calibration);
}

/* Single columns against llama.cpp, its attention in float32 as ours (docs/quality.md, 3). */
static void test_columns_of_peer(void **state)
{
    (void)state;
    must_run(LICHEN("calibrate", STORIES, "--text", TEXT, "--ctx", "48", "-o", OUT));
    struct calibration *calibration = must_open(OUT);
    for (size_t i = 0; i < sizeof calibrate_peer / sizeof calibrate_peer[0]; i++) {
        const struct calibrate_peer *peer = &calibrate_peer[i];
        const float *mean;
        assert_true(calibration_importance(calibration, peer->weight, peer->columns, &mean, NULL));
        assert_non_null(mean);
        for (unsigned k = 0; k < peer->columns; k++)
            assert_near((double)mean[k], (double)peer->squares[k], peer->weight);
    }
    calibration_close(calibration);
}

static void assert_same_file(const char *a, const char *b)
{
    size_t size_a, size_b;
    char *bytes_a = file_bytes(a, &size_a), *bytes_b = file_bytes(b, &size_b);
    assert_true(bytes_a && bytes_b);
    assert_int_equal(size_a, size_b);
    assert_memory_equal(bytes_a, bytes_b, size_a);
    free(bytes_a);
    free(bytes_b);
}

/* 20K hold one small Hessian at a time: as many passes as inputs. */
static void test_passes(void **state)
{
    (void)state;
    const char *one = FOLDER "/one.gguf", *many = FOLDER "/many.gguf";
    must_run(LICHEN("calibrate", STORIES, "--text", TEXT, "--ctx", "48", "--hessian", "-o", one,
                    "--threads", "1"));
    must_run(LICHEN("calibrate", STORIES, "--text", TEXT, "--ctx", "48", "--hessian", "-o", many,
                    "--threads", "3", "--hessian-memory", "20K"));
    assert_same_file(one, many);
}

/* The windows of --text are for the statistics, those behind them for the sensitivities. */
static void test_sensitivity(void **state)
{
    (void)state;
    must_run(LICHEN("calibrate", STORIES, "--text", TEXT, "--ctx", "32", "--chunks", "2",
                    "--sensitivity", "-o", OUT));
    struct calibration *calibration = must_open(OUT);
    double head = calibration_sensitivity(calibration, "token_embd.weight");
    double down = calibration_sensitivity(calibration, "blk.1.ffn_gate.weight");
    print_message("sensitivities: token_embd %g, ffn_gate %g\n", head, down);
    assert_true(head > 0.01 && down > 0.001 && head < 1000 && down < 1000);
    assert_true(calibration_sensitivity(calibration, "blk.0.attn_norm.weight") < 0);
    assert_false(calibration_has_hessian(calibration, "blk.1.ffn_gate.weight"));
    calibration_close(calibration);
    struct ran ran =
        LICHEN("calibrate", STORIES, "--text", TEXT, "--ctx", "48", "--sensitivity", "-o", OUT);
    assert_refused(&ran, 2, "2 windows of 48 tokens, and --sensitivity measures on 4 of its own");
    /* all windows: the last ones are kept for it */
    must_run(LICHEN("calibrate", STORIES, "--text", TEXT, "--ctx", "32", "--dev-chunks", "2",
                    "--sensitivity", "-o", OUT));
    ran = LICHEN("calibrate", STORIES, "--text", TEXT, "--ctx", "48", "--chunks", "2",
                 "--sensitivity", "-o", OUT);
    assert_refused(&ran, 2, "all are taken; give a text of its own with --dev-text");
}

/* What --fit chose opens within the bytes that it was given, and --bpw keeps to its bits. */
static void test_fit(void **state)
{
    (void)state;
    const char *fitted = FOLDER "/fitted.gguf";
    static const uint64_t sizes[] = {1085440, 1240000};
    must_run(LICHEN("calibrate", STORIES, "--text", TEXT, "--ctx", "32", "--chunks", "2",
                    "--sensitivity", "--hessian", "-o", OUT));
    for (int i = 0; i < 2; i++) {
        char size[32];
        snprintf(size, sizeof size, "%llu", (unsigned long long)sizes[i]);
        must_run(LICHEN("convert", STORIES, "-o", fitted, "--fit", size, "--ctx", "256", "--kv",
                        "q8_0", "--device", "cpu", "--imatrix", OUT, "--refine", "--force"));
        struct ran ran =
            LICHEN("plan", fitted, "--ctx", "256", "--kv", "q8_0", "--device", "cpu", "--json");
        const char *total = strstr(ran.out, "\"total\":");
        assert_non_null(total);
        uint64_t found = strtoull(total + strlen("\"total\":"), NULL, 10);
        print_message("--fit %s: %llu\n", size, (unsigned long long)found);
        assert_true(found <= sizes[i] && found > sizes[i] - sizes[i] / 50);
        ran_free(&ran);
    }
    struct ran ran = LICHEN("convert", STORIES, "-o", fitted, "--fit", "100K", "--ctx", "256",
                            "--device", "cpu", "--imatrix", OUT, "--force");
    assert_refused(&ran, 2, "--fit: of 102400 bytes, 0 are left");
    ran = LICHEN("convert", STORIES, "-o", fitted, "--bpw", "5", "--imatrix", OUT, "--force");
    assert_refused(&ran, 2, " bits a weight); ask for more");
    ran = LICHEN("convert", OUT, "-o", fitted, "--type", "q4_0", "--force");
    assert_refused(&ran, 2, "is a calibration, not a model; it is given by --imatrix");
    ran = LICHEN("convert", STORIES, "-o", fitted, "--type", "q4_0", "--imatrix", "/dev/null");
    assert_refused(&ran, 1, "not a regular file");
    ran = LICHEN("convert", STORIES, "-o", "", "--type", "q4_0");
    assert_refused(&ran, 2, "the name of a file to write is empty");
    ran = LICHEN("convert", STORIES, "-o", fitted, "--bpw", "9", "--force");
    assert_refused(&ran, 2, "--imatrix");
    ran = LICHEN("convert", STORIES, "-o", fitted, "--refine", "--type", "q4_0", "--force");
    assert_refused(&ran, 2, "lichen calibrate --hessian");
    assert_int_equal(count_entries(FOLDER, "outline"), 0);
}

static void test_wrong_uses(void **state)
{
    (void)state;
    struct ran ran = LICHEN("calibrate", STORIES, "-o", OUT);
    assert_refused(&ran, 2, "--text");
    ran = LICHEN("calibrate", STORIES, "--text", TEXT);
    assert_refused(&ran, 2, "--output");
    ran = LICHEN("calibrate", STORIES, "--text", TEXT, "-o", OUT, "--ctx", "500");
    assert_refused(&ran, 2, "one window takes 500");
    ran = LICHEN("calibrate", STORIES, "--text", TEXT, "-o", OUT, "--ctx", "1");
    assert_refused(&ran, 2, "--ctx");
    ran = LICHEN("calibrate", STORIES, "--text", TEXT, "-o", OUT, "--device", "0");
    assert_refused(&ran, 2, "only cpu");
    ran = LICHEN("calibrate", STORIES, "--text", TEXT, "-o", OUT, "--hessian-memory", "much");
    assert_refused(&ran, 2, "--hessian-memory");
    ran = LICHEN("calibrate", STORIES, "--text", FOLDER "/absent", "-o", OUT);
    assert_refused(&ran, 1, "absent");
    ran = LICHEN("calibrate", STORIES, "--text", TEXT, "--ctx", "48", "-o", FOLDER "/no/such/x");
    assert_refused(&ran, 1, "no/such/x");
    assert_int_equal(count_entries(FOLDER, "imatrix"), 0);
}

/* Ctrl-C in the middle: exit status 130, and neither a file nor a part of one. */
static void test_interrupt(void **state)
{
    (void)state;
    const char *long_text = FOLDER "/long.txt";
    size_t size = strlen(text), copies = 4000;
    char *bytes = malloc(size * copies);
    assert_non_null(bytes);
    for (size_t i = 0; i < copies; i++)
        memcpy(bytes + i * size, text, size);
    file_put(long_text, bytes, size * copies);
    free(bytes);
    const char *const arguments[] = {"calibrate", STORIES, "--text", long_text,   "-o",
                                     OUT,         "--ctx", "512",    "--hessian", NULL};
    assert_int_equal(run_and_signal(SIGINT, 700, arguments), 130);
    assert_int_equal(count_entries(FOLDER, "imatrix"), 0);
    remove(long_text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_moments, setup),
        cmocka_unit_test_setup(test_columns_of_peer, setup),
        cmocka_unit_test_setup(test_passes, setup),
        cmocka_unit_test_setup(test_sensitivity, setup),
        cmocka_unit_test_setup(test_fit, setup),
        cmocka_unit_test_setup(test_wrong_uses, setup),
        cmocka_unit_test_setup(test_interrupt, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
