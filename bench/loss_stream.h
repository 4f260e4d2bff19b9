/* loss_stream.h: what gives logits to compare: a file run with a device, an activation format and a
 * type of KV cache, or the base's logits on disk. A file is loaded once for each device and
 * activation format, whatever number of streams use it; files of one vocabulary share a tokenizer.
 * piece rows of logits of the base are held, never a whole window, and as many of one candidate at
 * a time. */
#ifndef LICHEN_LOSS_STREAM_H
#define LICHEN_LOSS_STREAM_H

#include "lichen.h"
#include "loss_logits_file.h"

enum { LOSS_STREAM_MAX = 32, LOSS_LABEL_SIZE = 160 };

struct loss_variant {
    const char *path;   /* caller's */
    const char *device; /* as in lichen_engine_options; NULL = best */
    enum lichen_activations activations;
    enum lichen_kv kv;
    uint32_t batch;      /* tokens a run at most; 0 = chosen for the device */
    uint32_t chunks_max; /* runs only so many windows; 0 = all */
};

struct loss_stream {
    struct loss_variant variant;
    char label[LOSS_LABEL_SIZE];     /* file name and what differs from the base */
    struct lichen_engine *engine;    /* the set's; NULL when the logits come from a file */
    struct lichen_session *session;  /* own */
    struct loss_logits_reader *file; /* own, the base's alone */
    float *rows;                     /* [piece, vocab], the base's own; else streams->shared */
    struct loss_row *about;          /* [piece], own */
};

struct loss_streams {
    struct loss_stream items[LOSS_STREAM_MAX]; /* items[0] is the base */
    size_t count;
    uint32_t vocab, piece; /* rows held at once */
    float *shared;         /* [piece, vocab], own: the rows of the candidate that ran last */
    struct lichen_engine *engines[LOSS_STREAM_MAX];
    size_t engine_count;
    struct lichen_engine_options engine_options; /* threads, cache folder, progress; caller's */
    /* Told the session that runs next, and NULL at the end, so that it can be cancelled. May be
     * NULL. */
    void (*watch)(struct lichen_session *session);
};

/* Adds a stream and loads its file when no other has. The first one fixes the vocabulary; another
 * one with a different vocabulary is a FAULT_ARGUMENT. */
bool loss_streams_add(struct loss_streams *streams, const struct loss_variant *variant,
                      struct fault *fault);
/* The base's logits from disk; before any other stream. */
bool loss_streams_add_file(struct loss_streams *streams, const char *path, struct fault *fault);
/* Sessions and rows for windows of ctx tokens. The sessions' rows of logits, and here the base's
 * and one candidate's, take about 16 MiB together, or piece is 8. */
bool loss_streams_open(struct loss_streams *streams, uint32_t ctx, struct fault *fault);
/* Closes the sessions; engines stay, and loss_streams_open may follow. */
void loss_streams_shut(struct loss_streams *streams);
void loss_streams_close(struct loss_streams *streams); /* accepts a zeroed one */

/* Forgets the stream's tokens. */
void loss_stream_begin(struct loss_stream *stream);
/* Fills rows[0 .. count) with the logits after window positions position .. position + count - 1
 * (about is the caller's to fill); count <= piece. A candidate's rows are good until another one's.
 * Positions go up without a gap from where the last call ended; the first call of a window feeds
 * what stands before position. tokens: the window. first: the position scored first (where a file's
 * rows begin). */
bool loss_stream_rows(struct loss_streams *streams, struct loss_stream *stream,
                      const int32_t *tokens, uint32_t chunk, uint32_t first, uint32_t position,
                      uint32_t count, struct fault *fault);

const char *loss_kv_name(enum lichen_kv kv);
const char *loss_activations_name(enum lichen_activations activations);

#endif
