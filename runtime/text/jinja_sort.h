/* jinja_sort.h: Python's stable sort, attribute getters and letter case as jinja2's filters use
 * them. Private to text/. */
#ifndef LICHEN_JINJA_SORT_H
#define LICHEN_JINJA_SORT_H

#include "jinja_run.h"

/* Sorts items by keys, both [count], in place. */
bool sort_values(struct run *run, struct value *items, struct value *keys, size_t count,
                 bool reverse);
/* A copy of the dict's pairs in the order of the keys. */
bool sort_pairs(struct run *run, const struct dict *dict, struct pair **out);

/* item.a.b of attribute "a.b", item[0] of "0" or 0; the item itself where attribute is absent or
 * None. missing, may be NULL: what stands for an undefined part. */
bool attribute_of(struct run *run, const struct value *item, const struct value *attribute,
                  const struct value *missing, struct value *out);
/* Lower case of a string; any other value as it is. */
bool ignore_case(struct run *run, const struct value *value, struct value *out);

#endif
