/* strict_json.h: JSON of untrusted files through jansson, with bounds that hold before it parses:
 * so deep, so many values; keys that occur twice are refused. */
#ifndef LICHEN_STRICT_JSON_H
#define LICHEN_STRICT_JSON_H

#include "fault.h"
#include <jansson.h>
#include <stddef.h>

enum { STRICT_JSON_VALUE_MAX = 1 << 20 };

/* An object, or NULL. Faults give the byte counted from base. The caller json_decrefs. */
json_t *strict_json_parse(const char *bytes, size_t size, int depth_max, size_t base,
                          struct fault *fault);
/* "text", "a number", ...: for faults; NULL is "nothing". */
const char *strict_json_kind(const json_t *value);

#endif
