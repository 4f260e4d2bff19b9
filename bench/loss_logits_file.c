/* loss_logits_file.c: reads and writes llama-perplexity's logits. Input is hostile. */
#include "loss_logits_file.h"
#include "checked.h"
#include "platform.h"
#include "platform_output.h"
#include "reader.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_SIZE = 20, ROW_HEAD = 8, VOCAB_MAX = 1 << 22, CTX_MAX = 1 << 22 };

static const char magic[8] = {'_', 'l', 'o', 'g', 'i', 't', 's', '_'};
static const double log_range = 24;

static size_t row_size(uint32_t vocab)
{
    return 2 * (2 * (((size_t)vocab + 1) / 2) + 4);
}

static uint32_t scored_of(uint32_t ctx)
{
    return ctx - 1 - ctx / 2;
}

/* Bytes of a whole file; false when they overflow. */
static bool whole_size(uint32_t ctx, uint32_t vocab, uint32_t chunks, uint64_t *size)
{
    uint64_t rows, row_bytes, token_bytes;
    return checked_mul_u64(chunks, scored_of(ctx), &rows) &&
           checked_mul_u64(rows, row_size(vocab), &row_bytes) &&
           checked_mul_u64((uint64_t)chunks * 4, ctx, &token_bytes) &&
           checked_add_u64(row_bytes, token_bytes, size) &&
           checked_add_u64(*size, HEADER_SIZE, size);
}

/* ---- reading ---- */

struct loss_logits_reader {
    struct file *file;
    uint32_t ctx, vocab, chunks;
    int32_t *ids;   /* [chunks * ctx] */
    uint8_t *bytes; /* [row_size] */
    double excess;
};

static bool read_header(struct loss_logits_reader *reader, struct fault *fault)
{
    uint8_t bytes[HEADER_SIZE];
    struct reader cursor;
    uint64_t expected = 0, found = file_size(reader->file);
    if (found < HEADER_SIZE || !file_read(reader->file, 0, bytes, sizeof bytes, fault))
        return fault_set(fault, FAULT_FORMAT, "too short for a file of logits: %llu bytes",
                         (unsigned long long)found);
    if (memcmp(bytes, magic, sizeof magic) != 0)
        return fault_set(fault, FAULT_FORMAT,
                         "byte 0: expected \"_logits_\": not written by lichen loss --save-logits "
                         "or llama-perplexity --kl-divergence-base");
    reader_init(&cursor, bytes + sizeof magic, sizeof bytes - sizeof magic, fault);
    reader->ctx = reader_u32(&cursor, "ctx");
    reader->vocab = reader_u32(&cursor, "vocab");
    reader->chunks = reader_u32(&cursor, "chunks");
    if (reader->ctx < 4 || reader->ctx > CTX_MAX || reader->vocab < 1 ||
        reader->vocab > VOCAB_MAX || reader->chunks < 1)
        return fault_set(fault, FAULT_FORMAT, "byte 8: ctx %u, vocab %u, chunks %u cannot be",
                         (unsigned)reader->ctx, (unsigned)reader->vocab, (unsigned)reader->chunks);
    if (!whole_size(reader->ctx, reader->vocab, reader->chunks, &expected) || expected != found)
        return fault_set(fault, FAULT_FORMAT,
                         "ctx %u, vocab %u, chunks %u need %llu bytes, found %llu: the file is cut "
                         "short or of another format",
                         (unsigned)reader->ctx, (unsigned)reader->vocab, (unsigned)reader->chunks,
                         (unsigned long long)expected, (unsigned long long)found);
    return true;
}

static bool read_ids(struct loss_logits_reader *reader, struct fault *fault)
{
    size_t count = (size_t)reader->chunks * reader->ctx; /* 4 * count <= the file's size */
    reader->ids = malloc(count * sizeof *reader->ids);
    reader->bytes = malloc(row_size(reader->vocab));
    if (!reader->ids || !reader->bytes)
        return fault_set(fault, FAULT_MEMORY, "out of memory for %zu tokens", count);
    if (!file_read(reader->file, HEADER_SIZE, reader->ids, count * sizeof *reader->ids, fault))
        return false;
    for (size_t i = 0; i < count; i++)
        if (reader->ids[i] < 0 || (uint32_t)reader->ids[i] >= reader->vocab)
            return fault_set(fault, FAULT_FORMAT, "byte %zu: token %d, expected 0 .. %u",
                             HEADER_SIZE + 4 * i, reader->ids[i], (unsigned)reader->vocab - 1);
    return true;
}

bool loss_logits_open(const char *path, struct loss_logits_reader **out, struct fault *fault)
{
    *out = NULL;
    struct loss_logits_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return fault_set(fault, FAULT_MEMORY, "out of memory");
    if (!file_open(path, &reader->file, fault) || !read_header(reader, fault) ||
        !read_ids(reader, fault)) {
        loss_logits_close(reader);
        return fault_file(fault, path);
    }
    *out = reader;
    return true;
}

void loss_logits_close(struct loss_logits_reader *reader)
{
    if (!reader)
        return;
    file_close(reader->file);
    free(reader->ids);
    free(reader->bytes);
    free(reader);
}

uint32_t loss_logits_vocab(const struct loss_logits_reader *reader)
{
    return reader->vocab;
}

uint32_t loss_logits_ctx(const struct loss_logits_reader *reader)
{
    return reader->ctx;
}

const int32_t *loss_logits_ids(const struct loss_logits_reader *reader, size_t *count)
{
    *count = (size_t)reader->chunks * reader->ctx;
    return reader->ids;
}

bool loss_logits_read(struct loss_logits_reader *reader, uint32_t chunk, uint32_t row, float *dst,
                      struct fault *fault)
{
    float head[2];
    double sum = 0;
    uint64_t rows_before = (uint64_t)chunk * scored_of(reader->ctx) + row;
    uint64_t offset = HEADER_SIZE + (uint64_t)reader->chunks * reader->ctx * 4 +
                      rows_before * row_size(reader->vocab);
    if (!file_read(reader->file, offset, reader->bytes, row_size(reader->vocab), fault))
        return false;
    memcpy(head, reader->bytes, sizeof head);
    if (!isfinite(head[0]) || !isfinite(head[1]))
        return fault_set(fault, FAULT_FORMAT, "%s: byte %llu: scale and least are no numbers",
                         file_path(reader->file), (unsigned long long)offset);
    for (uint32_t i = 0; i < reader->vocab; i++) {
        const uint8_t *code = reader->bytes + ROW_HEAD + 2 * (size_t)i;
        dst[i] = head[0] * (float)(code[0] | code[1] << 8) + head[1];
        sum += exp((double)dst[i]);
    }
    reader->excess = sum - 1;
    return true;
}

double loss_logits_excess(const struct loss_logits_reader *reader)
{
    return reader->excess;
}

/* ---- writing ---- */

struct loss_logits_writer {
    struct output *output;
    const char *path;
    uint32_t vocab;
    uint64_t rows_left;
    uint8_t *bytes; /* [row_size] */
};

static void put_u32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

static bool write_head(struct loss_logits_writer *writer, const struct loss_windows *windows,
                       struct fault *fault)
{
    uint8_t bytes[HEADER_SIZE];
    memcpy(bytes, magic, sizeof magic);
    put_u32(bytes + 8, windows->ctx);
    put_u32(bytes + 12, writer->vocab);
    put_u32(bytes + 16, windows->chunks);
    return output_append(writer->output, bytes, sizeof bytes, fault) &&
           output_append(writer->output, windows->ids,
                         (size_t)windows->chunks * windows->ctx * sizeof *windows->ids, fault);
}

bool loss_logits_create(const char *path, const struct loss_windows *windows, uint32_t vocab,
                        struct loss_logits_writer **out, struct fault *fault)
{
    uint64_t size;
    *out = NULL;
    if (windows->first != windows->ctx / 2)
        return fault_set(fault, FAULT_ARGUMENT,
                         "%s: a file of logits holds the llama protocol's positions only", path);
    if (!whole_size(windows->ctx, vocab, windows->chunks, &size))
        return fault_set(fault, FAULT_ARGUMENT, "%s: the logits are too large", path);
    struct loss_logits_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return fault_set(fault, FAULT_MEMORY, "out of memory");
    writer->path = path;
    writer->vocab = vocab;
    writer->rows_left = (uint64_t)windows->chunks * scored_of(windows->ctx);
    writer->bytes = calloc(1, row_size(vocab));
    if ((!writer->bytes && !fault_set(fault, FAULT_MEMORY, "out of memory for a row")) ||
        !output_create(path, size, 0666, &writer->output, fault) ||
        !write_head(writer, windows, fault)) {
        loss_logits_destroy(writer);
        return false;
    }
    *out = writer;
    return true;
}

static void encode_row(struct loss_logits_writer *writer, const float *logits,
                       const struct loss_row *about)
{
    double largest = (double)logits[about->top[0]], lowest = largest;
    for (uint32_t i = 0; i < writer->vocab; i++)
        lowest = (double)logits[i] < lowest ? (double)logits[i] : lowest;
    lowest = lowest > largest - log_range ? lowest : largest - log_range;
    float head[2] = {(float)((largest - lowest) / 65535), (float)(lowest - about->log_norm)};
    memcpy(writer->bytes, head, sizeof head);
    for (uint32_t i = 0; i < writer->vocab; i++) {
        double step = head[0] > 0 ? ((double)logits[i] - lowest) / (double)head[0] : 0;
        uint32_t code = step <= 0 ? 0 : step >= 65535 ? 65535 : (uint32_t)(step + 0.5);
        writer->bytes[ROW_HEAD + 2 * (size_t)i] = (uint8_t)code;
        writer->bytes[ROW_HEAD + 2 * (size_t)i + 1] = (uint8_t)(code >> 8);
    }
}

bool loss_logits_append(struct loss_logits_writer *writer, const float *logits,
                        const struct loss_row *about, struct fault *fault)
{
    if (writer->rows_left == 0)
        return fault_set(fault, FAULT_ARGUMENT, "%s: more rows than announced", writer->path);
    writer->rows_left--;
    encode_row(writer, logits, about);
    return output_append(writer->output, writer->bytes, row_size(writer->vocab), fault);
}

bool loss_logits_finish(struct loss_logits_writer *writer, struct fault *fault)
{
    if (writer->rows_left)
        return fault_set(fault, FAULT_ARGUMENT, "%s: %llu rows are missing", writer->path,
                         (unsigned long long)writer->rows_left);
    return output_finish(writer->output, NULL, 0, fault);
}

void loss_logits_destroy(struct loss_logits_writer *writer)
{
    if (!writer)
        return;
    output_destroy(writer->output);
    free(writer->bytes);
    free(writer);
}
