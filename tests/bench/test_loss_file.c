/* test_loss_file.c: llama-perplexity's file of logits, both ways: ours is read back by a reader
 * that the format's statement alone was written from (this file's), and what this file's writer
 * made of known logits is read by ours. */
#include "loss_logits_file.h"
#include "testing.h"
#include <math.h>

enum {
    CTX = 8,
    VOCAB = 5,
    CHUNKS = 2,
    SCORED = CTX - 1 - CTX / 2,
    ROW_U16 = 2 * ((VOCAB + 1) / 2) + 4
};

#define PATH LICHEN_TEST_OUTPUT "/logits.kld"

static int32_t ids[CHUNKS * CTX];
static float logits[CHUNKS][SCORED][VOCAB];

static void make_case(void)
{
    uint64_t seed = 11;
    for (int i = 0; i < CHUNKS * CTX; i++)
        ids[i] = i % VOCAB;
    for (int i = 0; i < CHUNKS * SCORED * VOCAB; i++)
        (&logits[0][0][0])[i] = 6 * test_uniform(&seed);
}

/* log p of a row, in float64. */
static void truth(const float *row, double *log_p)
{
    double sum = 0;
    for (int i = 0; i < VOCAB; i++)
        sum += exp((double)row[i]);
    for (int i = 0; i < VOCAB; i++)
        log_p[i] = (double)row[i] - log(sum);
}

/* ---- the test's own writer and reader, little-endian machine ---- */

static void put_row(FILE *file, const float *row)
{
    uint16_t out[ROW_U16] = {0};
    float largest = row[0], lowest = row[0];
    double log_p[VOCAB];
    truth(row, log_p);
    for (int i = 1; i < VOCAB; i++) {
        largest = row[i] > largest ? row[i] : largest;
        lowest = row[i] < lowest ? row[i] : lowest;
    }
    lowest = lowest > largest - 24 ? lowest : largest - 24;
    float scale = (largest - lowest) / 65535;
    float least = (float)((double)lowest - ((double)row[0] - log_p[0]));
    memcpy(out, &scale, 4);
    memcpy(out + 2, &least, 4);
    for (int i = 0; i < VOCAB; i++)
        out[4 + i] = row[i] > lowest ? (uint16_t)lrintf((row[i] - lowest) / scale) : 0;
    assert_int_equal(fwrite(out, sizeof out, 1, file), 1);
}

static void write_foreign(const char *path)
{
    int32_t head[3] = {CTX, VOCAB, CHUNKS};
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fwrite("_logits_", 8, 1, file);
    fwrite(head, sizeof head, 1, file);
    fwrite(ids, sizeof ids, 1, file);
    for (int chunk = 0; chunk < CHUNKS; chunk++)
        for (int row = 0; row < SCORED; row++)
            put_row(file, logits[chunk][row]);
    assert_int_equal(fclose(file), 0);
}

static void write_ours(const char *path)
{
    struct loss_windows windows;
    struct loss_logits_writer *writer;
    struct fault fault = {0};
    assert_true(loss_windows_make(LOSS_LLAMA, ids, CHUNKS * CTX, CTX, 0, 0, 1, &windows, &fault));
    assert_true(loss_logits_create(path, &windows, VOCAB, &writer, &fault));
    for (int i = 0; i < CHUNKS * SCORED; i++) {
        struct loss_row about;
        const float *row = logits[i / SCORED][i % SCORED];
        assert_false(loss_logits_finish(writer, NULL)); /* rows are missing */
        loss_row_read(row, VOCAB, false, &about);
        assert_true(loss_logits_append(writer, row, &about, &fault));
    }
    struct loss_row about;
    loss_row_read(logits[0][0], VOCAB, false, &about);
    assert_false(loss_logits_append(writer, logits[0][0], &about, &fault));
    assert_true(loss_logits_finish(writer, &fault));
    loss_logits_destroy(writer);
}

static void test_written_is_read_by_others(void **state)
{
    (void)state;
    char magic[8];
    int32_t head[3], tokens[CHUNKS * CTX];
    write_ours(PATH);
    FILE *file = fopen(PATH, "rb");
    assert_non_null(file);
    assert_int_equal(fread(magic, 8, 1, file), 1);
    assert_memory_equal(magic, "_logits_", 8);
    assert_int_equal(fread(head, sizeof head, 1, file), 1);
    assert_int_equal(head[0], CTX);
    assert_int_equal(head[1], VOCAB);
    assert_int_equal(head[2], CHUNKS);
    assert_int_equal(fread(tokens, sizeof tokens, 1, file), 1);
    assert_memory_equal(tokens, ids, sizeof ids);
    for (int i = 0; i < CHUNKS * SCORED; i++) {
        uint16_t row[ROW_U16];
        float scale, least;
        double log_p[VOCAB];
        assert_int_equal(fread(row, sizeof row, 1, file), 1);
        memcpy(&scale, row, 4);
        memcpy(&least, row + 2, 4);
        truth(logits[i / SCORED][i % SCORED], log_p);
        for (int k = 0; k < VOCAB; k++)
            assert_true(fabs((double)(scale * (float)row[4 + k] + least) - log_p[k]) < 2e-4);
    }
    assert_int_equal(fgetc(file), EOF);
    fclose(file);
}

/* The KLD of a candidate against the file: within 16-bit rounding of the true one. */
static void test_foreign_gives_known_kld(void **state)
{
    (void)state;
    struct loss_logits_reader *reader;
    struct fault fault = {0};
    size_t count;
    write_foreign(PATH);
    assert_true(loss_logits_open(PATH, &reader, &fault));
    assert_int_equal(loss_logits_ctx(reader), CTX);
    assert_int_equal(loss_logits_vocab(reader), VOCAB);
    assert_memory_equal(loss_logits_ids(reader, &count), ids, sizeof ids);
    assert_int_equal(count, CHUNKS * CTX);
    for (uint32_t i = 0; i < CHUNKS * SCORED; i++) {
        float base[VOCAB], even[VOCAB] = {0};
        double log_p[VOCAB], expected = log(VOCAB);
        struct loss_row about_base, about_even;
        struct loss_token token;
        const float *row = logits[i / SCORED][i % SCORED];
        truth(row, log_p);
        for (int k = 0; k < VOCAB; k++)
            expected += exp(log_p[k]) * log_p[k]; /* KL(b, uniform) = ln V - H */
        assert_true(loss_logits_read(reader, i / SCORED, i % SCORED, base, &fault));
        assert_true(fabs(loss_logits_excess(reader)) < 1e-3);
        loss_row_read(base, VOCAB, true, &about_base);
        loss_row_read(even, VOCAB, false, &about_even);
        loss_row_compare(base, &about_base, even, &about_even, VOCAB, 0, &token);
        assert_true(fabs(token.kld - expected) < 1e-3);
        /* against its own logits: nothing but the rounding of 16 bits */
        loss_row_read(row, VOCAB, false, &about_even);
        loss_row_compare(base, &about_base, row, &about_even, VOCAB, 0, &token);
        assert_true(fabs(token.kld) < 2e-4);
    }
    loss_logits_close(reader);
}

/* ---- bad files ---- */

static void damage(size_t at, int32_t value)
{
    write_foreign(PATH);
    FILE *file = fopen(PATH, "r+b");
    assert_non_null(file);
    fseek(file, (long)at, SEEK_SET);
    fwrite(&value, sizeof value, 1, file);
    fclose(file);
}

static void assert_bad(const char *part)
{
    struct loss_logits_reader *reader;
    struct fault fault = {0};
    assert_false(loss_logits_open(PATH, &reader, &fault));
    assert_null(reader);
    assert_int_equal(fault.kind, FAULT_FORMAT);
    assert_non_null(strstr(fault.text, PATH));
    if (!strstr(fault.text, part))
        fail_msg("'%s' lacks '%s'", fault.text, part);
}

static void test_bad_files(void **state)
{
    (void)state;
    damage(0, 0);
    assert_bad("byte 0: expected \"_logits_\"");
    damage(8, 9);
    assert_bad("bytes, found");
    damage(8, 0);
    assert_bad("cannot be");
    damage(12, -1);
    assert_bad("cannot be");
    damage(16, INT32_MAX);
    assert_bad("bytes, found");
    damage(20 + 4 * 3, VOCAB);
    assert_bad("byte 32: token 5, expected 0 .. 4");
    damage(20 + 4 * 3, -1);
    assert_bad("token -1");
    FILE *file = fopen(PATH, "wb");
    fputs("_logits_", file);
    fclose(file);
    assert_bad("too short");
}

static void test_bad_row(void **state)
{
    (void)state;
    struct loss_logits_reader *reader;
    struct fault fault = {0};
    float row[VOCAB];
    damage(20 + 4 * CHUNKS * CTX, 0x7fc00000); /* the scale of the first row: NaN */
    assert_true(loss_logits_open(PATH, &reader, &fault));
    assert_false(loss_logits_read(reader, 0, 0, row, &fault));
    assert_non_null(strstr(fault.text, "no numbers"));
    loss_logits_close(reader);
}

static int setup(void **state)
{
    (void)state;
    make_case();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written_is_read_by_others),
        cmocka_unit_test(test_foreign_gives_known_kld),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_bad_row),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
