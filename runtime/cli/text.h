/* text.h: a growing piece of text, and text made safe to show on a terminal. */
#ifndef LICHEN_CLI_TEXT_H
#define LICHEN_CLI_TEXT_H

#include "fault.h"
#include <stddef.h>
#include <stdio.h>

struct text {
    char *bytes; /* [size], a NUL behind it once anything was added; freed by text_free */
    size_t size, capacity;
};

bool text_add(struct text *text, const char *bytes, size_t size, struct fault *fault);
void text_free(struct text *text); /* leaves it empty, ready for use */

/* All of a stream to its end; `name` is for the fault, limit in bytes. */
bool text_read(struct text *text, FILE *stream, const char *name, size_t limit,
               struct fault *fault);
/* A file, or standard input when path is NULL or "-". */
bool text_read_path(struct text *text, const char *path, size_t limit, struct fault *fault);

/* Adds bytes as they may be shown: C0 and C1 control characters except newline and tab are left
 * out, so that no model and no file can drive the terminal; characters that reverse the direction
 * of text are spelled <U+202E>; what is not UTF-8 becomes U+FFFD. bytes hold whole characters. */
bool text_add_safe(struct text *text, const char *bytes, size_t size, struct fault *fault);
/* Writes the safe form to a stream. */
bool text_print_safe(FILE *stream, const char *bytes, size_t size, struct fault *fault);

#endif
