/* jinja_method.c: the methods of str, dict, list and tuple: which there are, and those of the
 * containers. Every name that Python knows is listed, since content['index'] is its method. */
#include "jinja_method.h"

#include <string.h>

static bool dict_get(struct run *run, const struct value *subject, const struct call *call,
                     struct value *out)
{
    const struct value *key = &call->values[0];
    if (key->kind == VALUE_LIST || key->kind == VALUE_DICT)
        return run_fail(run, "unhashable type: '%s'", value_type(key));
    const struct value *found = dict_find(run, subject->dict, key);
    if (found)
        *out = *found;
    else
        *out = call->values[1].kind == VALUE_ABSENT ? value_none() : call->values[1];
    return !run->failed;
}

static bool dict_view(const struct value *subject, enum view_kind view, struct value *out)
{
    *out = *subject;
    out->kind = VALUE_VIEW;
    out->view = (uint8_t)view;
    return true;
}

static bool dict_view_items(struct run *run, const struct value *subject, const struct call *call,
                            struct value *out)
{
    (void)run, (void)call;
    return dict_view(subject, VIEW_ITEMS, out);
}

static bool dict_view_keys(struct run *run, const struct value *subject, const struct call *call,
                           struct value *out)
{
    (void)run, (void)call;
    return dict_view(subject, VIEW_KEYS, out);
}

static bool dict_view_values(struct run *run, const struct value *subject, const struct call *call,
                             struct value *out)
{
    (void)run, (void)call;
    return dict_view(subject, VIEW_VALUES, out);
}

static bool copy_subject(struct run *run, const struct value *subject, const struct call *call,
                         struct value *out) /* nothing changes it: it is its own copy */
{
    (void)run, (void)call;
    *out = *subject;
    return true;
}

static bool list_find(struct run *run, const struct list *list, const struct value *item,
                      size_t *first, size_t *count)
{
    *first = SIZE_MAX;
    *count = 0;
    for (size_t i = 0; i < list->count; i++) {
        bool equal;
        if (!run_spend(run, 0) || !value_equal(run, &list->items[i], item, &equal))
            return false;
        if (equal && (*count)++ == 0)
            *first = i;
    }
    return true;
}

static bool list_count(struct run *run, const struct value *subject, const struct call *call,
                       struct value *out)
{
    size_t first, count;
    if (!list_find(run, subject->list, &call->values[0], &first, &count))
        return false;
    *out = value_size(count);
    return true;
}

static bool list_index(struct run *run, const struct value *subject, const struct call *call,
                       struct value *out)
{
    size_t first, count;
    if (!list_find(run, subject->list, &call->values[0], &first, &count))
        return false;
    if (count == 0)
        return run_fail(run, "item is not in list");
    *out = value_size(first);
    return true;
}

static const struct builtin dict_methods[] = {
    {"get", "key default", 1, dict_get},
    {"items", "", 0, dict_view_items},
    {"keys", "", 0, dict_view_keys},
    {"values", "", 0, dict_view_values},
    {"copy", "", 0, copy_subject},
    {"fromkeys", NULL, 0, NULL},
    {"clear", NULL, 0, NULL},
    {"pop", NULL, 0, NULL},
    {"popitem", NULL, 0, NULL},
    {"setdefault", NULL, 0, NULL},
    {"update", NULL, 0, NULL},
    {NULL, NULL, 0, NULL},
};

static const struct builtin list_methods[] = {
    {"count", "value", 1, list_count}, {"index", "value", 1, list_index},
    {"copy", "", 0, copy_subject},     {"append", NULL, 0, NULL},
    {"clear", NULL, 0, NULL},          {"extend", NULL, 0, NULL},
    {"insert", NULL, 0, NULL},         {"pop", NULL, 0, NULL},
    {"remove", NULL, 0, NULL},         {"reverse", NULL, 0, NULL},
    {"sort", NULL, 0, NULL},           {NULL, NULL, 0, NULL},
};

static const struct builtin tuple_methods[] = {
    {"count", "value", 1, list_count},
    {"index", "value", 1, list_index},
    {NULL, NULL, 0, NULL},
};

static const struct builtin *method_table(enum value_kind kind)
{
    switch (kind) {
    case VALUE_STRING:
        return string_methods;
    case VALUE_DICT:
        return dict_methods;
    case VALUE_LIST:
        return list_methods;
    case VALUE_TUPLE:
        return tuple_methods;
    default:
        return NULL;
    }
}

static const struct builtin *table_find(const struct builtin *table, const char *name, size_t size)
{
    for (; table && table->name; table++)
        if (strlen(table->name) == size && memcmp(table->name, name, size) == 0)
            return table;
    return NULL;
}

/* All that change a dict or list; fromkeys is the one other that is missing here. */
static bool is_mutating(const struct builtin *method, enum value_kind kind)
{
    return kind != VALUE_STRING && !method->function && strcmp(method->name, "fromkeys") != 0;
}

const struct builtin *method_find(enum value_kind kind, const char *name, size_t size,
                                  bool *mutates)
{
    const struct builtin *found = table_find(method_table(kind), name, size);
    *mutates = found && is_mutating(found, kind);
    return found;
}

bool method_is_refused(const char *name, size_t size)
{
    const struct builtin *found = table_find(string_methods, name, size);
    return found && !found->function;
}
