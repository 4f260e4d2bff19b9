/* stream.h: puts decoded tokens together to UTF-8 that can be shown: holds back an incomplete
 * sequence (at most 3 bytes), drops the dummy space of SentencePiece at the start, holds back text
 * that may turn into a stop string. Broken bytes come out as U+FFFD. */
#ifndef LICHEN_STREAM_H
#define LICHEN_STREAM_H

#include "tokenizer.h"

struct stream; /* one answer */

/* stops: count NUL-terminated strings, copied. */
bool stream_create(const struct tokenizer *tokenizer, const char *const *stops, size_t stop_count,
                   struct stream **out, struct fault *fault);
void stream_destroy(struct stream *stream); /* NULL is allowed */
void stream_reset(struct stream *stream);   /* a new answer, same stops */
/* True: the first token's dummy space is kept (the answer continues a text). Default false. */
void stream_keep_space(struct stream *stream, bool keep);

/* Feeds one token. *text, valid until the next call, is what may be shown now (may be empty).
 * *stopped becomes true when a stop string was met; *text then ends right before it. */
bool stream_push(struct stream *stream, int32_t id, const char **text, size_t *size, bool *stopped,
                 struct fault *fault);
/* What was held back, at the end of the answer. */
void stream_flush(struct stream *stream, const char **text, size_t *size);

/* UTF-8 helpers (utf8.c). Length of the longest valid prefix of bytes; *broken_size = how many of
 * the bytes behind it are a broken sequence (0 = only incomplete or nothing there). */
size_t utf8_valid_prefix(const char *bytes, size_t size, size_t *broken_size);

#endif
