/* json_text.h: JSON strings of bytes that came from a model or a file. */
#ifndef LICHEN_JSON_TEXT_H
#define LICHEN_JSON_TEXT_H

#include <jansson.h>
#include <stddef.h>

/* A string that may hold broken UTF-8: what is broken becomes U+FFFD. NULL = out of memory. */
json_t *json_of_text(const char *bytes, size_t size);

#endif
