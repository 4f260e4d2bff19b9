/* fuzz_loss.c: the two kinds of files that lichen loss reads. Any bytes as a file of logits: what
 * opens gives all its rows, or a fault. Any bytes as a JSON report: what is one can be shown in
 * every view and merged with itself. */
#include "fuzz.h"
#include "loss_logits_file.h"
#include "loss_merge.h"
#include "loss_views.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH LICHEN_TEST_OUTPUT "/fuzz-loss.kld"

/* assert without NDEBUG */
static void must(bool condition)
{
    if (!condition)
        abort();
}

static void read_rows(struct loss_logits_reader *reader)
{
    size_t count;
    const int32_t *ids = loss_logits_ids(reader, &count);
    uint32_t vocab = loss_logits_vocab(reader), ctx = loss_logits_ctx(reader);
    for (size_t i = 0; i < count; i++)
        must(ids[i] >= 0 && (uint32_t)ids[i] < vocab);
    float *row = malloc(vocab * sizeof *row);
    must(row != NULL);
    for (uint32_t chunk = 0; chunk < count / ctx; chunk++)
        for (uint32_t i = 0; i < ctx - 1 - ctx / 2; i++) {
            struct loss_row about;
            if (loss_logits_read(reader, chunk, i, row, NULL))
                loss_row_read(row, vocab, true, &about);
        }
    free(row);
}

static void as_logits(const uint8_t *bytes, size_t size)
{
    struct loss_logits_reader *reader;
    struct fault fault = {0};
    FILE *file = fopen(PATH, "wb");
    must(file != NULL);
    must(fwrite(bytes, 1, size, file) == size);
    must(fclose(file) == 0);
    if (loss_logits_open(PATH, &reader, &fault)) {
        read_rows(reader);
        loss_logits_close(reader);
    } else {
        must(reader == NULL && fault.text[0] != 0);
    }
}

static void show(const json_t *report)
{
    FILE *nowhere = fopen("/dev/null", "wb");
    must(nowhere != NULL);
    loss_table(report, true, true, nowhere);
    loss_csv(report, nowhere);
    loss_markdown(report, nowhere);
    loss_html(report, nowhere); /* its charts too; a picture of them takes too long here */
    fclose(nowhere);
}

static void as_report(const uint8_t *bytes, size_t size)
{
    json_t *report, *again;
    struct fault fault = {0};
    if (!loss_report_parse((const char *)bytes, size, "fuzz.json", &report, &fault)) {
        must(report == NULL && fault.text[0] != 0);
        return;
    }
    show(report);
    again = json_deep_copy(report);
    if (again && loss_merge(report, again, "again.json", &fault))
        show(report);
    json_decref(again);
    json_decref(report);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size > 0 && bytes[0] == '{')
        as_report(bytes, size);
    else
        as_logits(bytes, size);
    return 0;
}
