/* jinja_text.h: UTF-8 by code points, as Python's str sees it. Private to text/.
 * Every text here is valid UTF-8: sources and variables are checked where they come in. */
#ifndef LICHEN_JINJA_TEXT_H
#define LICHEN_JINJA_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool text_is_valid(const char *bytes, size_t size);
/* The code point at bytes, *length its size. size must not be 0. */
int32_t text_decode(const char *bytes, size_t size, size_t *length);
size_t text_encode(int32_t character, char out[4]);
/* The code point before bytes[size]. */
int32_t text_decode_before(const char *bytes, size_t size, size_t *length);
size_t text_count(const char *bytes, size_t size);                /* code points */
size_t text_offset(const char *bytes, size_t size, size_t index); /* of code point `index` */

/* Bytes of white space (str.isspace) at the start and at the end. */
size_t text_space(const char *bytes, size_t size);
size_t text_space_before(const char *bytes, size_t size);

/* Position of the first or last `part` in bytes, SIZE_MAX when there is none. */
size_t text_find(const char *bytes, size_t size, const char *part, size_t part_size);
size_t text_find_last(const char *bytes, size_t size, const char *part, size_t part_size);

enum text_class {
    CLASS_SPACE,
    CLASS_ALPHA,
    CLASS_DIGIT,
    CLASS_NUMERIC,
    CLASS_UPPER,
    CLASS_LOWER,
    CLASS_PRINTABLE
};
bool text_is(int32_t character, enum text_class class);

/* Writes the upper, lower or title case of a code point, at most 3 code points, into out[12]. */
enum text_case { CASE_UPPER, CASE_LOWER, CASE_TITLE };
size_t text_case(int32_t character, enum text_case to, char out[12]);

#endif
