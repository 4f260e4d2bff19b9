/* jinja_filter.h: the filters, in three files, by what they work on. Private to text/. */
#ifndef LICHEN_JINJA_FILTER_H
#define LICHEN_JINJA_FILTER_H

#include "jinja_run.h"

builtin_function filter_abs, filter_float, filter_int, filter_round; /* jinja_filter_number.c */
builtin_function filter_capitalize, filter_center, filter_escape, filter_format, filter_indent,
    filter_lower, filter_replace, filter_safe, filter_string, filter_title, filter_trim,
    filter_upper; /* jinja_filter_text.c */
builtin_function filter_attr, filter_dictsort, filter_first, filter_items, filter_join, filter_last,
    filter_length, filter_list, filter_map, filter_max, filter_min, filter_reject,
    filter_rejectattr, filter_reverse, filter_select, filter_selectattr, filter_sort, filter_sum,
    filter_unique; /* jinja_filter_list.c, jinja_filter_select.c */

#endif
