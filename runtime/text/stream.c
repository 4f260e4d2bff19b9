/* stream.c: see stream.h. Bytes of tokens -> whole characters -> what no stop string can still
 * claim. */
#include "stream.h"
#include "utf8.h"
#include "vocab.h"

#include <stdlib.h>
#include <string.h>

struct buffer { /* grows */
    char *bytes;
    size_t size, capacity;
};

struct stream {
    const struct tokenizer *tokenizer; /* caller's, outlives the stream */
    struct gguf_string *stops;         /* [stop_count], owned with their bytes in one block */
    size_t stop_count;
    bool keep_space;
    bool begun; /* something came out: no dummy space any more */
    bool stopped;
    struct buffer raw;  /* bytes of tokens; between calls at most 3, an unfinished character */
    struct buffer text; /* characters: [0, shown) handed out, then what is held back */
    size_t shown;
};

/* Room for size more bytes. */
static bool buffer_reserve(struct buffer *buffer, size_t size, struct fault *fault)
{
    if (buffer->capacity - buffer->size >= size)
        return true;
    size_t capacity = 2 * buffer->capacity + size + 64;
    char *bytes = realloc(buffer->bytes, capacity);
    if (!bytes)
        return vocab_no_memory(fault);
    buffer->bytes = bytes;
    buffer->capacity = capacity;
    return true;
}

static void buffer_append(struct buffer *buffer, const char *bytes, size_t size)
{
    memcpy(buffer->bytes + buffer->size, bytes, size);
    buffer->size += size;
}

static void buffer_drop(struct buffer *buffer, size_t size)
{
    if (size == 0)
        return;
    buffer->size -= size;
    memmove(buffer->bytes, buffer->bytes + size, buffer->size);
}

static bool copy_stops(struct stream *stream, const char *const *stops, size_t count,
                       struct fault *fault)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        if (!*stops[i])
            return fault_set(fault, FAULT_ARGUMENT, "a stop string is empty");
        size += strlen(stops[i]);
    }
    stream->stops = malloc(count * sizeof *stream->stops + size + 1);
    if (!stream->stops)
        return vocab_no_memory(fault);
    char *bytes = (char *)(stream->stops + count);
    for (size_t i = 0; i < count; i++) {
        stream->stops[i] = (struct gguf_string){bytes, strlen(stops[i])};
        memcpy(bytes, stops[i], stream->stops[i].size);
        bytes += stream->stops[i].size;
    }
    stream->stop_count = count;
    return true;
}

bool stream_create(const struct tokenizer *tokenizer, const char *const *stops, size_t stop_count,
                   struct stream **out, struct fault *fault)
{
    struct stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        return vocab_no_memory(fault);
    stream->tokenizer = tokenizer;
    /* flush cannot fail, so its room for one broken character is there from the start. */
    if (!copy_stops(stream, stops, stop_count, fault) ||
        !buffer_reserve(&stream->text, 64, fault)) {
        stream_destroy(stream);
        return false;
    }
    *out = stream;
    return true;
}

void stream_destroy(struct stream *stream)
{
    if (!stream)
        return;
    free(stream->stops);
    free(stream->raw.bytes);
    free(stream->text.bytes);
    free(stream);
}

void stream_reset(struct stream *stream)
{
    stream->begun = false;
    stream->stopped = false;
    stream->raw.size = 0;
    stream->text.size = 0;
    stream->shown = 0;
}

void stream_keep_space(struct stream *stream, bool keep)
{
    stream->keep_space = keep;
}

/* The bytes of the token behind those of the last ones; drops the dummy space of the first. */
static bool take_token(struct stream *stream, int32_t id, struct fault *fault)
{
    const struct tokenizer *tokenizer = stream->tokenizer;
    size_t size = tokenizer_decode(tokenizer, id, false, NULL, 0);
    if (size == 0)
        return true;
    if (!buffer_reserve(&stream->raw, size, fault))
        return false;
    size_t before = stream->raw.size;
    tokenizer_decode(tokenizer, id, false, stream->raw.bytes + before, size);
    stream->raw.size += size;
    if (!stream->begun && !stream->keep_space)
        buffer_drop(&stream->raw, decode_dummy(tokenizer, stream->raw.bytes, size));
    /* Where all spaces go, they go until something else comes. */
    stream->begun = !tokenizer->trim_spaces || stream->raw.size > 0;
    return true;
}

/* Moves whole characters from raw to text; broken ones become U+FFFD. Text has the room. */
static void assemble(struct stream *stream, bool last)
{
    size_t at = 0;
    while (at < stream->raw.size) {
        struct utf8_char next = utf8_read(stream->raw.bytes + at, stream->raw.size - at);
        if (next.state == UTF8_CUT && !last)
            break;
        if (next.state == UTF8_WHOLE)
            buffer_append(&stream->text, stream->raw.bytes + at, next.size);
        else
            buffer_append(&stream->text, "\xEF\xBF\xBD", 3);
        at += next.size;
    }
    buffer_drop(&stream->raw, at);
}

/* Where the first stop string begins, SIZE_MAX when there is none. */
static size_t find_stop(const struct stream *stream)
{
    const struct buffer *text = &stream->text;
    for (size_t at = 0; at < text->size; at++)
        for (size_t i = 0; i < stream->stop_count; i++)
            if (stream->stops[i].size <= text->size - at &&
                memcmp(text->bytes + at, stream->stops[i].bytes, stream->stops[i].size) == 0)
                return at;
    return SIZE_MAX;
}

/* How many bytes at the end of text could be the beginning of a stop string. */
static size_t held_back(const struct stream *stream)
{
    const struct buffer *text = &stream->text;
    for (size_t at = 0; at < text->size; at++)
        for (size_t i = 0; i < stream->stop_count; i++)
            if (stream->stops[i].size > text->size - at &&
                memcmp(text->bytes + at, stream->stops[i].bytes, text->size - at) == 0)
                return text->size - at;
    return 0;
}

bool stream_push(struct stream *stream, int32_t id, const char **text, size_t *size, bool *stopped,
                 struct fault *fault)
{
    buffer_drop(&stream->text, stream->shown);
    stream->shown = 0;
    if (!stream->stopped) {
        /* A broken byte grows to three; so much and the room that flush needs. */
        if (!take_token(stream, id, fault) ||
            !buffer_reserve(&stream->text, 3 * stream->raw.size + 9, fault))
            return false;
        assemble(stream, false);
        size_t stop = find_stop(stream);
        stream->stopped = stop != SIZE_MAX;
        if (stream->stopped) {
            stream->text.size = stop;
            stream->raw.size = 0;
        }
        stream->shown = stream->text.size - (stream->stopped ? 0 : held_back(stream));
    }
    *text = stream->text.bytes;
    *size = stream->shown;
    *stopped = stream->stopped;
    return true;
}

void stream_flush(struct stream *stream, const char **text, size_t *size)
{
    buffer_drop(&stream->text, stream->shown);
    assemble(stream, true);
    stream->shown = stream->text.size;
    *text = stream->text.bytes;
    *size = stream->shown;
}
