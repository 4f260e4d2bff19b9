/* json_walk.h: goes through JSON text that is too large for a tree (a tokenizer.json has millions
 * of values): containers are entered, their items come one by one, small values are handed to
 * jansson. Bounded memory: the longest text. Faults give the byte. */
#ifndef LICHEN_JSON_WALK_H
#define LICHEN_JSON_WALK_H

#include "fault.h"
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct json_walk {     /* free by json_walk_free */
    const char *bytes; /* [size], the caller's */
    size_t size, at;
    bool as_reals; /* integers come as fractions: one beyond 64 bits is no fault */
    char *text;    /* [text_size] and a NUL, of json_walk_text; valid until the next call */
    size_t text_size, text_capacity;
};

struct json_level { /* an entered container; one for each json_walk_enter */
    char close;
    bool first;
};

void json_walk_begin(struct json_walk *walk, const char *bytes, size_t size);
void json_walk_free(struct json_walk *walk);

/* The first byte of the value that comes next: '{' '[' '"' or the start of a number or word; 0 at
 * the end. */
char json_walk_peek(struct json_walk *walk);
/* open: '{' or '['. */
bool json_walk_enter(struct json_walk *walk, char open, struct json_level *level,
                     struct fault *fault);
/* *more: another item follows (also after a fault); in an object json_walk_key must be called, then
 * a value. */
bool json_walk_next(struct json_walk *walk, struct json_level *level, bool *more,
                    struct fault *fault);
bool json_walk_key(struct json_walk *walk, struct fault *fault); /* in walk->text */

/* Values. */
bool json_walk_text(struct json_walk *walk, struct fault *fault);
bool json_walk_integer(struct json_walk *walk, int64_t *value, struct fault *fault);
/* Any value as a tree; the caller json_decrefs. Bounds of strict_json. */
bool json_walk_tree(struct json_walk *walk, json_t **value, struct fault *fault);
/* Passes a value by, whatever its size; only its brackets and quotes are looked at. *start: where
 * it begins, to come back by setting at. */
bool json_walk_skip(struct json_walk *walk, size_t *start, struct fault *fault);
/* Nothing but white space may follow. */
bool json_walk_end(struct json_walk *walk, struct fault *fault);

#endif
