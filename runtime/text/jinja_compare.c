/* jinja_compare.c: equality, order and membership as Python has them. */
#include "jinja_run.h"
#include "jinja_text.h"

#include <math.h>
#include <string.h>

/* Looking at 16 items is a step. */
static bool spend_item(struct run *run, size_t index)
{
    return index % 16 < 15 || run_spend(run, 0);
}

static bool equal_items(struct run *run, const struct list *a, const struct list *b, bool *out)
{
    *out = a->count == b->count;
    for (size_t i = 0; *out && i < a->count; i++)
        if (!value_equal(run, &a->items[i], &b->items[i], out) || !spend_item(run, i))
            return false;
    return true;
}

static bool equal_dicts(struct run *run, const struct dict *a, const struct dict *b, bool *out)
{
    *out = a->count == b->count;
    for (size_t i = 0; *out && i < a->count; i++) {
        const struct value *other = dict_find(run, b, &a->pairs[i].key);
        *out = other != NULL;
        if (other && !value_equal(run, &a->pairs[i].value, other, out))
            return false;
    }
    return true;
}

static bool equal_ranges(const struct range *a, const struct range *b)
{
    if (a->count != b->count || a->count == 0)
        return a->count == b->count;
    return a->start == b->start && (a->count == 1 || a->step == b->step);
}

static int order_integer_real(int64_t integer, double real)
{
    if (isnan(real))
        return 2;
    if (real >= 9223372036854775808.0)
        return -1;
    if (real < -9223372036854775808.0)
        return 1;
    int64_t whole = (int64_t)real;
    if (integer != whole)
        return integer < whole ? -1 : 1;
    double rest = real - (double)whole;
    return rest > 0 ? -1 : rest < 0 ? 1 : 0;
}

static int order_numbers(const struct value *a, const struct value *b)
{
    if (a->kind == VALUE_FLOAT && b->kind == VALUE_FLOAT)
        return a->real < b->real ? -1 : a->real > b->real ? 1 : a->real == b->real ? 0 : 2;
    if (b->kind == VALUE_FLOAT)
        return order_integer_real(value_integer(a), b->real);
    if (a->kind == VALUE_FLOAT) {
        int order = order_integer_real(value_integer(b), a->real);
        return order == 2 ? 2 : -order;
    }
    int64_t left = value_integer(a), right = value_integer(b);
    return left < right ? -1 : left > right;
}

static int order_strings(const struct value *a, const struct value *b)
{
    size_t size = a->size < b->size ? a->size : b->size;
    int order = size ? memcmp(a->bytes, b->bytes, size) : 0;
    if (order == 0)
        return a->size < b->size ? -1 : a->size > b->size;
    return order < 0 ? -1 : 1;
}

static bool equal_same_kind(struct run *run, const struct value *a, const struct value *b,
                            bool *out)
{
    switch (a->kind) {
    case VALUE_NONE:
    case VALUE_UNDEFINED:
        *out = true;
        return true;
    case VALUE_STRING:
        *out = a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
        return run_spend(run, a->size);
    case VALUE_LIST:
    case VALUE_TUPLE:
        return equal_items(run, a->list, b->list, out);
    case VALUE_DICT:
        return equal_dicts(run, a->dict, b->dict, out);
    case VALUE_RANGE:
        *out = equal_ranges(a->range, b->range);
        return true;
    case VALUE_VIEW:
        *out = a->view == b->view && a->dict == b->dict;
        return true;
    default:
        *out = a->list == b->list; /* the same object */
        return true;
    }
}

bool value_equal(struct run *run, const struct value *a, const struct value *b, bool *out)
{
    bool done = true;
    *out = false;
    if (!run_enter(run))
        return false;
    if (value_is_number(a) && value_is_number(b))
        *out = order_numbers(a, b) == 0;
    else if (a->kind == b->kind)
        done = equal_same_kind(run, a, b, out);
    run_leave(run);
    return done;
}

static bool order_lists(struct run *run, const struct list *a, const struct list *b, int *out)
{
    size_t count = a->count < b->count ? a->count : b->count;
    for (size_t i = 0; i < count; i++) {
        bool equal;
        if (!value_equal(run, &a->items[i], &b->items[i], &equal) || !spend_item(run, i))
            return false;
        if (!equal)
            return value_compare(run, &a->items[i], &b->items[i], out);
    }
    *out = a->count < b->count ? -1 : a->count > b->count;
    return true;
}

bool value_compare(struct run *run, const struct value *a, const struct value *b, int *out)
{
    bool done = true;
    if (!run_enter(run))
        return false;
    if (a->kind == VALUE_UNDEFINED)
        done = value_fail_undefined(run, a);
    else if (b->kind == VALUE_UNDEFINED)
        done = value_fail_undefined(run, b);
    else if (value_is_number(a) && value_is_number(b))
        *out = order_numbers(a, b);
    else if (a->kind == VALUE_STRING && b->kind == VALUE_STRING)
        *out = order_strings(a, b);
    else if (a->kind == b->kind && (a->kind == VALUE_LIST || a->kind == VALUE_TUPLE))
        done = order_lists(run, a->list, b->list, out);
    else
        done = run_fail(run, "no order between instances of '%s' and '%s'", value_type(a),
                        value_type(b));
    run_leave(run);
    return done;
}

static bool string_contains(struct run *run, const struct value *container,
                            const struct value *item, bool *out)
{
    if (item->kind != VALUE_STRING)
        return run_fail(run, "'in <string>' requires string as left operand, not %s",
                        value_type(item));
    *out = text_find(container->bytes, container->size, item->bytes, item->size) != SIZE_MAX;
    return run_spend(run, container->size);
}

static bool list_contains(struct run *run, const struct list *list, const struct value *item,
                          bool *out)
{
    *out = false;
    for (size_t i = 0; i < list->count && !*out; i++) {
        if (!value_equal(run, &list->items[i], item, out) || !spend_item(run, i))
            return false;
    }
    return true;
}

bool value_contains(struct run *run, const struct value *container, const struct value *item,
                    bool *out)
{
    struct list items;
    if (container->kind == VALUE_STRING)
        return string_contains(run, container, item, out);
    if (container->kind == VALUE_DICT) {
        if (item->kind == VALUE_LIST || item->kind == VALUE_DICT)
            return run_fail(run, "unhashable type: '%s'", value_type(item));
        *out = dict_find(run, container->dict, item) != NULL;
        return run_spend(run, 0);
    }
    if (container->kind < VALUE_STRING && container->kind != VALUE_UNDEFINED)
        return run_fail(run, "argument of type '%s' is not iterable", value_type(container));
    return value_items(run, container, &items) && list_contains(run, &items, item, out);
}
