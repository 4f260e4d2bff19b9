/* jinja_filter_select.c: map, select, reject, selectattr, rejectattr. Each gives an iterator: true
 * even when it is empty, and empty after one pass. */
#include "jinja_filter.h"
#include "jinja_sort.h"

static const struct value *find_keyword(const struct call *call, const char *name)
{
    for (size_t i = 0; i < call->keyword_count; i++)
        if (value_is_text(&call->keywords[i].name, name))
            return &call->keywords[i].value;
    return NULL;
}

/* What the filter or test behind its name is called with. */
static struct call without_first(const struct call *call, size_t count)
{
    struct call rest = *call;
    rest.values += count;
    rest.count -= count;
    return rest;
}

static bool map_item(struct run *run, const struct value *item, const struct call *call,
                     struct value *out)
{
    const struct value *attribute = call->count == 0 ? find_keyword(call, "attribute") : NULL;
    if (attribute)
        return attribute_of(run, item, attribute, find_keyword(call, "default"), out);
    struct call rest = without_first(call, 1);
    return run_filter_named(run, &call->values[0], item, &rest, out);
}

bool filter_map(struct run *run, const struct value *subject, const struct call *call,
                struct value *out)
{
    struct gather mapped = {.run = run};
    struct list items = {NULL, 0};
    struct value item;
    if (value_truth(subject) && !value_items(run, subject, &items))
        return false;
    if (items.count > 0 && call->count == 0 && !find_keyword(call, "attribute"))
        return run_fail(run, "map requires a filter argument");
    for (size_t i = 0; i < items.count; i++)
        if (!map_item(run, &items.items[i], call, &item) || !gather_add(&mapped, &item))
            return false;
    return value_iterator(run, mapped.items, mapped.count, out);
}

/* first: how many arguments stand before the name of the test. */
static bool passes(struct run *run, const struct value *item, const struct call *call, size_t first,
                   bool *out)
{
    struct value subject = *item;
    if (first == 1 && !attribute_of(run, item, &call->values[0], NULL, &subject))
        return false;
    if (call->count <= first) {
        *out = value_truth(&subject);
        return run_spend(run, 0);
    }
    struct call rest = without_first(call, first + 1);
    return run_test_named(run, &call->values[first], &subject, &rest, out);
}

static bool select_items(struct run *run, const struct value *subject, const struct call *call,
                         bool wanted, size_t first, struct value *out)
{
    struct gather kept = {.run = run};
    struct list items = {NULL, 0};
    bool pass;
    if (value_truth(subject) && !value_items(run, subject, &items))
        return false;
    if (items.count > 0 && call->count < first)
        return run_fail(run, "Missing parameter for attribute name");
    for (size_t i = 0; i < items.count; i++) {
        if (!passes(run, &items.items[i], call, first, &pass))
            return false;
        if (pass == wanted && !gather_add(&kept, &items.items[i]))
            return false;
    }
    return value_iterator(run, kept.items, kept.count, out);
}

bool filter_select(struct run *run, const struct value *subject, const struct call *call,
                   struct value *out)
{
    return select_items(run, subject, call, true, 0, out);
}

bool filter_reject(struct run *run, const struct value *subject, const struct call *call,
                   struct value *out)
{
    return select_items(run, subject, call, false, 0, out);
}

bool filter_selectattr(struct run *run, const struct value *subject, const struct call *call,
                       struct value *out)
{
    return select_items(run, subject, call, true, 1, out);
}

bool filter_rejectattr(struct run *run, const struct value *subject, const struct call *call,
                       struct value *out)
{
    return select_items(run, subject, call, false, 1, out);
}
