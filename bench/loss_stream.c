/* loss_stream.c: engines, sessions and rows of the streams. */
#include "loss_stream.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROWS_BYTES = 16 << 20,
    PIECE_LEAST = 8,
    PIECE_MOST = 128,
    PACKED_BATCH = 8,
    HOST_BATCH = 32 /* of the C executor, whose activations lie beside the weights */
};

const char *loss_kv_name(enum lichen_kv kv)
{
    static const char *const names[] = {"f16", "f32", "q8_0"};
    return names[kv];
}

const char *loss_activations_name(enum lichen_activations activations)
{
    static const char *const names[] = {"auto", "16", "8", "float"};
    return names[activations];
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* An engine of a stream before that has the same file, device and activations. */
static struct lichen_engine *find_engine(const struct loss_streams *streams,
                                         const struct loss_variant *variant)
{
    for (size_t i = 0; i < streams->count; i++) {
        const struct loss_variant *other = &streams->items[i].variant;
        if (streams->items[i].engine && same_text(other->path, variant->path) &&
            same_text(other->device, variant->device) && other->activations == variant->activations)
            return streams->items[i].engine;
    }
    return NULL;
}

/* "name kv=q8_0": the file's name without folder and .gguf, and what it does not share with the
 * first stream. */
static void make_label(const struct loss_streams *streams, struct loss_stream *stream)
{
    const struct loss_variant *own = &stream->variant, *base = &streams->items[0].variant;
    const char *slash = strrchr(own->path, '/'), *name = slash ? slash + 1 : own->path;
    size_t length = strlen(name);
    if (length > 5 && strcmp(name + length - 5, ".gguf") == 0)
        length -= 5;
    int used =
        snprintf(stream->label, sizeof stream->label, "%.*s", length > 90 ? 90 : (int)length, name);
    if (own->activations != base->activations)
        used += snprintf(stream->label + used, sizeof stream->label - (size_t)used,
                         " activations=%s", loss_activations_name(own->activations));
    if (own->kv != base->kv)
        used += snprintf(stream->label + used, sizeof stream->label - (size_t)used, " kv=%s",
                         loss_kv_name(own->kv));
    if (!same_text(own->device, base->device))
        snprintf(stream->label + used, sizeof stream->label - (size_t)used, " device=%.32s",
                 own->device ? own->device : "best");
}

static bool open_engine(struct loss_streams *streams, struct loss_stream *stream,
                        struct fault *fault)
{
    stream->engine = find_engine(streams, &stream->variant);
    if (stream->engine)
        return true;
    struct lichen_engine_options options = streams->engine_options;
    options.model = stream->variant.path;
    options.device = stream->variant.device;
    options.activations = stream->variant.activations;
    options.vocabulary = streams->engine_count ? streams->engines[0] : NULL;
    if (!lichen_engine_open(&options, &stream->engine, fault))
        return false;
    streams->engines[streams->engine_count++] = stream->engine;
    return true;
}

bool loss_streams_add(struct loss_streams *streams, const struct loss_variant *variant,
                      struct fault *fault)
{
    struct lichen_model_info info;
    if (streams->count == LOSS_STREAM_MAX)
        return fault_set(fault, FAULT_ARGUMENT, "at most %d candidates", LOSS_STREAM_MAX - 1);
    struct loss_stream *stream = &streams->items[streams->count];
    stream->variant = *variant;
    if (!open_engine(streams, stream, fault))
        return false;
    make_label(streams, stream);
    lichen_model_info(stream->engine, &info);
    if (streams->count == 0)
        streams->vocab = info.vocab;
    if (info.vocab != streams->vocab)
        return fault_set(fault, FAULT_ARGUMENT,
                         "%s: a vocabulary of %u tokens, the base has %u: not the same model",
                         variant->path, (unsigned)info.vocab, (unsigned)streams->vocab);
    streams->count++;
    return true;
}

bool loss_streams_add_file(struct loss_streams *streams, const char *path, struct fault *fault)
{
    struct loss_stream *stream = &streams->items[0];
    if (!loss_logits_open(path, &stream->file, fault))
        return false;
    stream->variant.path = path;
    make_label(streams, stream);
    streams->vocab = loss_logits_vocab(stream->file);
    streams->count = 1;
    return true;
}

/* Tokens a run; 0 = as the engine chooses. 8- and 16-bit activations are the kernels of an answer,
 * used for 8 tokens at most; a longer run would quietly be one in floats. */
static uint32_t batch_of(const struct loss_variant *variant)
{
    if (variant->batch)
        return variant->batch;
    if (variant->activations != LICHEN_ACTIVATIONS_FLOAT)
        return PACKED_BATCH;
    return same_text(variant->device, "cpu") ? HOST_BATCH : 0;
}

static bool open_session(struct loss_streams *streams, struct loss_stream *stream, uint32_t ctx,
                         struct fault *fault)
{
    struct lichen_session_options options;
    if (!stream->engine)
        return true;
    lichen_session_defaults(&options);
    options.context = ctx;
    options.kv = stream->variant.kv;
    options.batch = batch_of(&stream->variant);
    options.outputs = streams->piece;
    options.sampler.temperature = 0;
    return lichen_session_open(stream->engine, &options, &stream->session, fault);
}

bool loss_streams_open(struct loss_streams *streams, uint32_t ctx, struct fault *fault)
{
    size_t row = streams->vocab * sizeof(float);
    size_t piece = ROWS_BYTES / row / (streams->count + 2);
    piece = piece < PIECE_LEAST ? PIECE_LEAST : piece;
    piece = piece > PIECE_MOST ? PIECE_MOST : piece;
    streams->piece = piece < ctx ? (uint32_t)piece : ctx;
    streams->items[0].rows = malloc(streams->piece * row);
    streams->shared = malloc(streams->piece * row);
    for (size_t i = 0; i < streams->count; i++) {
        struct loss_stream *stream = &streams->items[i];
        if (i)
            stream->rows = streams->shared;
        stream->about = malloc(streams->piece * sizeof *stream->about);
        if (!stream->rows || !stream->about)
            return fault_set(fault, FAULT_MEMORY, "out of memory for %u rows of logits",
                             (unsigned)streams->piece);
        if (!open_session(streams, stream, ctx, fault))
            return false;
    }
    return true;
}

void loss_streams_shut(struct loss_streams *streams)
{
    if (streams->watch)
        streams->watch(NULL);
    for (size_t i = 0; i < LOSS_STREAM_MAX; i++) {
        struct loss_stream *stream = &streams->items[i];
        lichen_session_close(stream->session);
        if (i == 0)
            free(stream->rows);
        free(stream->about);
        stream->session = NULL;
        stream->rows = NULL;
        stream->about = NULL;
    }
    free(streams->shared);
    streams->shared = NULL;
}

void loss_streams_close(struct loss_streams *streams)
{
    loss_streams_shut(streams);
    loss_logits_close(streams->items[0].file);
    for (size_t i = streams->engine_count; i > 0; i--) /* the first one's tokenizer serves all */
        lichen_engine_close(streams->engines[i - 1]);
    memset(streams, 0, sizeof *streams);
}

void loss_stream_begin(struct loss_stream *stream)
{
    if (stream->session)
        lichen_rewind(stream->session, 0);
}

bool loss_stream_rows(struct loss_streams *streams, struct loss_stream *stream,
                      const int32_t *tokens, uint32_t chunk, uint32_t first, uint32_t position,
                      uint32_t count, struct fault *fault)
{
    if (!stream->session) {
        for (uint32_t i = 0; i < count; i++)
            if (!loss_logits_read(stream->file, chunk, position - first + i,
                                  stream->rows + (size_t)i * streams->vocab, fault))
                return false;
        return true;
    }
    uint32_t held = lichen_session_count(stream->session);
    if (streams->watch)
        streams->watch(stream->session);
    return lichen_feed_logits(stream->session, tokens + held, position + count - held, count,
                              stream->rows, fault);
}
