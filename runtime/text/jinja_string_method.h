/* jinja_string_method.h: the parts of str that filters share, and the methods of
 * jinja_string_split.c and jinja_string_case.c. Private to text/. */
#ifndef LICHEN_JINJA_STRING_METHOD_H
#define LICHEN_JINJA_STRING_METHOD_H

#include "jinja_run.h"

/* characters: absent or None = white space. */
bool string_strip(struct run *run, const struct value *subject, const struct value *characters,
                  bool at_start, bool at_end, struct value *out);
/* limit < 0: all. The result is not Markup. */
bool string_replace(struct run *run, const struct value *text, const struct value *old,
                    const struct value *new, int64_t limit, struct value *out);
/* str.splitlines(keepends), as a list. */
bool string_lines(struct run *run, const struct value *text, bool keep_ends, struct value *out);
/* Spaces or *fill on both sides to width code points: left and right share in the given way. */
enum side { SIDE_LEFT, SIDE_RIGHT, SIDE_CENTER };
bool string_pad(struct run *run, const struct value *text, int64_t width, const struct value *fill,
                enum side side, struct value *out);

builtin_function string_split, string_rsplit, string_splitlines, string_partition,
    string_rpartition, string_upper, string_lower, string_title, string_capitalize, string_swapcase,
    string_isalpha, string_isalnum, string_isdigit, string_isdecimal, string_isnumeric,
    string_isspace, string_isupper, string_islower, string_ljust, string_rjust, string_center,
    string_zfill;

#endif
