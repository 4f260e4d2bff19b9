/* jinja_sort.c: a stable merge sort by keys, and what makes the keys. */
#include "jinja_sort.h"
#include "jinja_number.h"
#include "jinja_string_method.h"
#include "jinja_text.h"

#include <string.h>

struct sorting {
    struct run *run;
    const struct value *keys;
    size_t *order, *other; /* [count] */
    bool reverse;
};

/* Whether the right one must come before the left one. */
static bool goes_first(const struct sorting *sorting, size_t left, size_t right, bool *out)
{
    const struct value *a = &sorting->keys[right], *b = &sorting->keys[left];
    int order;
    if (!run_spend(sorting->run, 0) ||
        !value_compare(sorting->run, sorting->reverse ? b : a, sorting->reverse ? a : b, &order))
        return false;
    *out = order == -1;
    return true;
}

static bool merge(struct sorting *sorting, size_t start, size_t middle, size_t end)
{
    size_t left = start, right = middle;
    for (size_t i = start; i < end; i++) {
        bool take_right = left == middle;
        if (left < middle && right < end &&
            !goes_first(sorting, sorting->order[left], sorting->order[right], &take_right))
            return false;
        sorting->other[i] = take_right ? sorting->order[right++] : sorting->order[left++];
    }
    return true;
}

static bool merge_passes(struct sorting *sorting, size_t count)
{
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t start = 0; start < count; start += 2 * width) {
            size_t middle = start + width < count ? start + width : count;
            size_t end = middle + width < count ? middle + width : count;
            if (!merge(sorting, start, middle, end))
                return false;
        }
        size_t *merged = sorting->other;
        sorting->other = sorting->order;
        sorting->order = merged;
    }
    return true;
}

static bool sorted_order(struct run *run, const struct value *keys, size_t count, bool reverse,
                         size_t **out)
{
    struct sorting sorting = {run, keys, NULL, NULL, reverse};
    sorting.order = run_alloc(run, count, sizeof *sorting.order);
    sorting.other = run_alloc(run, count, sizeof *sorting.other);
    if (!sorting.order || !sorting.other)
        return false;
    for (size_t i = 0; i < count; i++)
        sorting.order[i] = i;
    if (!merge_passes(&sorting, count))
        return false;
    *out = sorting.order;
    return true;
}

bool sort_values(struct run *run, struct value *items, struct value *keys, size_t count,
                 bool reverse)
{
    size_t *order;
    struct value *copy = run_alloc(run, count, sizeof *copy);
    if (!copy || !sorted_order(run, keys, count, reverse, &order))
        return false;
    if (count > 0)
        memcpy(copy, items, count * sizeof *copy);
    for (size_t i = 0; i < count; i++)
        items[i] = copy[order[i]];
    return true;
}

bool sort_pairs(struct run *run, const struct dict *dict, struct pair **out)
{
    size_t *order;
    struct value *keys = run_alloc(run, dict->count, sizeof *keys);
    struct pair *pairs = run_alloc(run, dict->count, sizeof *pairs);
    if (!keys || !pairs)
        return false;
    for (size_t i = 0; i < dict->count; i++)
        keys[i] = dict->pairs[i].key;
    if (!sorted_order(run, keys, dict->count, false, &order))
        return false;
    for (size_t i = 0; i < dict->count; i++)
        pairs[i] = dict->pairs[order[i]];
    *out = pairs;
    return true;
}

static bool part_of_attribute(struct run *run, const struct value *part,
                              const struct value *missing, struct value *value)
{
    struct value index = *part, found;
    int64_t integer;
    if (part->kind == VALUE_STRING && number_parse_integer(part->bytes, part->size, 10, &integer))
        index = value_int(integer);
    if (!value_item(run, value, &index, &found))
        return false;
    *value = missing && found.kind == VALUE_UNDEFINED ? *missing : found;
    return true;
}

bool attribute_of(struct run *run, const struct value *item, const struct value *attribute,
                  const struct value *missing, struct value *out)
{
    *out = *item;
    if (attribute->kind == VALUE_ABSENT || attribute->kind == VALUE_NONE)
        return true;
    if (attribute->kind != VALUE_STRING)
        return part_of_attribute(run, attribute, missing, out);
    size_t start = 0;
    while (start <= attribute->size) {
        size_t length = text_find(attribute->bytes + start, attribute->size - start, ".", 1);
        if (length == SIZE_MAX)
            length = attribute->size - start;
        struct value part = value_bytes(attribute->bytes + start, length);
        if (!run_spend(run, 0) || !part_of_attribute(run, &part, missing, out))
            return false;
        start += length + 1;
    }
    return true;
}

bool ignore_case(struct run *run, const struct value *value, struct value *out)
{
    struct call none = {0};
    *out = *value;
    return value->kind != VALUE_STRING || string_lower(run, value, &none, out);
}
