/* jinja_filter_list.c: filters over the items of a value. */
#include "jinja_filter.h"
#include "jinja_sort.h"

#include <string.h>

bool filter_length(struct run *run, const struct value *subject, const struct call *call,
                   struct value *out)
{
    size_t count;
    (void)call;
    if (!value_length(run, subject, &count))
        return false;
    *out = value_size(count);
    return true;
}

bool filter_list(struct run *run, const struct value *subject, const struct call *call,
                 struct value *out)
{
    struct list items;
    (void)call;
    if (!value_items(run, subject, &items) || !value_list(run, VALUE_LIST, 0, out))
        return false;
    *out->list = items;
    return true;
}

bool filter_items(struct run *run, const struct value *subject, const struct call *call,
                  struct value *out)
{
    struct value view = *subject;
    struct list items = {NULL, 0};
    (void)call;
    view.kind = VALUE_VIEW;
    view.view = VIEW_ITEMS;
    if (subject->kind != VALUE_DICT && subject->kind != VALUE_UNDEFINED)
        return run_fail(run, "Can only get item pairs from a mapping.");
    if (subject->kind == VALUE_DICT && !value_items(run, &view, &items))
        return false;
    return value_iterator(run, items.items, items.count, out);
}

bool filter_first(struct run *run, const struct value *subject, const struct call *call,
                  struct value *out)
{
    struct list items;
    (void)call;
    size_t position = subject->kind == VALUE_ITERATOR ? subject->iterator->position : 0;
    if (!value_items(run, subject, &items))
        return false;
    if (items.count == 0)
        return value_undefined_hint(run, "No first item, sequence was empty.", out);
    if (subject->kind == VALUE_ITERATOR)
        subject->iterator->position = position + 1;
    *out = items.items[0];
    return true;
}

bool filter_last(struct run *run, const struct value *subject, const struct call *call,
                 struct value *out)
{
    struct list items;
    (void)call;
    if (subject->kind == VALUE_ITERATOR)
        return run_fail(run, "'generator' object is not reversible");
    if (!value_items(run, subject, &items))
        return false;
    if (items.count == 0)
        return value_undefined_hint(run, "No last item, sequence was empty.", out);
    *out = items.items[items.count - 1];
    return true;
}

bool filter_reverse(struct run *run, const struct value *subject, const struct call *call,
                    struct value *out)
{
    struct value parts[3] = {value_none(), value_none(), value_int(-1)};
    struct list items;
    (void)call;
    if (subject->kind == VALUE_STRING) {
        bool done = value_slice(run, subject, parts, out);
        out->markup = subject->markup;
        return done;
    }
    if (!value_items(run, subject, &items) || !value_list(run, VALUE_LIST, items.count, out) ||
        !run_spend(run, items.count * sizeof *out))
        return false;
    for (size_t i = 0; i < items.count; i++)
        out->list->items[i] = items.items[items.count - 1 - i];
    if (subject->kind == VALUE_ITERATOR)
        return true;
    return value_iterator(run, out->list->items, items.count, out);
}

bool filter_join(struct run *run, const struct value *subject, const struct call *call,
                 struct value *out)
{
    struct builder text = {.run = run};
    struct value separator = value_text(""), item;
    struct list items;
    if (call->values[0].kind != VALUE_ABSENT && !value_string(run, &call->values[0], &separator))
        return false;
    if (!value_items(run, subject, &items))
        return false;
    for (size_t i = 0; i < items.count; i++)
        if (!run_spend(run, 0) ||
            !attribute_of(run, &items.items[i], &call->values[1], NULL, &item) ||
            (i > 0 && !builder_add(&text, separator.bytes, separator.size)) ||
            !value_write(&text, &item))
            return false;
    *out = builder_value(&text);
    return true;
}

bool filter_attr(struct run *run, const struct value *subject, const struct call *call,
                 struct value *out)
{
    if (subject->kind == VALUE_NAMESPACE || subject->kind == VALUE_LOOP)
        return value_attribute(run, subject, &call->values[0], out);
    (void)run;
    return run_refuse(run, "filter 'attr' of a %s", value_type(subject));
}

static bool is_true(const struct value *argument)
{
    return argument->kind != VALUE_ABSENT && value_truth(argument);
}

/* attribute "a,b" sorts by a, then by b: the key is a list. */
static bool sort_key(struct run *run, const struct value *item, const struct value *attribute,
                     bool case_sensitive, struct value *out)
{
    struct gather parts = {.run = run};
    size_t start = 0;
    bool text = attribute->kind == VALUE_STRING;
    do {
        struct value part = *attribute, key;
        if (text) {
            const char *rest = attribute->bytes + start;
            const char *comma = memchr(rest, ',', attribute->size - start);
            part = value_bytes(rest, comma ? (size_t)(comma - rest) : attribute->size - start);
            start += part.size + 1;
        }
        if (!attribute_of(run, item, &part, NULL, &key) ||
            (!case_sensitive && !ignore_case(run, &key, &key)) || !gather_add(&parts, &key))
            return false;
    } while (text && start <= attribute->size);
    return gather_value(&parts, VALUE_LIST, out);
}

bool filter_sort(struct run *run, const struct value *subject, const struct call *call,
                 struct value *out)
{
    struct list items;
    if (!value_items(run, subject, &items) || !value_list(run, VALUE_LIST, items.count, out))
        return false;
    struct value *keys = run_alloc(run, items.count, sizeof *keys);
    if (!keys)
        return false;
    for (size_t i = 0; i < items.count; i++) {
        out->list->items[i] = items.items[i];
        if (!sort_key(run, &items.items[i], &call->values[2], is_true(&call->values[1]), &keys[i]))
            return false;
    }
    return sort_values(run, out->list->items, keys, items.count, is_true(&call->values[0]));
}

bool filter_dictsort(struct run *run, const struct value *subject, const struct call *call,
                     struct value *out)
{
    const struct value *by = &call->values[1];
    bool by_value = value_is_text(by, "value");
    struct value view = *subject;
    struct list items;
    if (subject->kind == VALUE_UNDEFINED)
        return value_fail_undefined(run, subject);
    if (subject->kind != VALUE_DICT)
        return run_fail(run, "'%s' object has no attribute 'items'", value_type(subject));
    if (by->kind != VALUE_ABSENT && !by_value && !value_is_text(by, "key"))
        return run_fail(run, "You can only sort by either \"key\" or \"value\"");
    view.kind = VALUE_VIEW;
    view.view = VIEW_ITEMS;
    if (!value_items(run, &view, &items) || !value_list(run, VALUE_LIST, 0, out))
        return false;
    *out->list = items;
    struct value *keys = run_alloc(run, items.count, sizeof *keys);
    if (!keys)
        return false;
    for (size_t i = 0; i < items.count; i++) {
        keys[i] = items.items[i].list->items[by_value];
        if (!is_true(&call->values[0]) && !ignore_case(run, &keys[i], &keys[i]))
            return false;
    }
    return sort_values(run, items.items, keys, items.count, is_true(&call->values[2]));
}

bool filter_unique(struct run *run, const struct value *subject, const struct call *call,
                   struct value *out)
{
    struct gather kept = {.run = run}, seen = {.run = run};
    struct list items;
    if (!value_items(run, subject, &items))
        return false;
    for (size_t i = 0; i < items.count; i++) {
        struct list before = {seen.items, seen.count};
        struct value key, all = {.kind = VALUE_LIST, .list = &before};
        bool found;
        if (!attribute_of(run, &items.items[i], &call->values[1], NULL, &key) ||
            (!is_true(&call->values[0]) && !ignore_case(run, &key, &key)))
            return false;
        if (key.kind == VALUE_LIST || key.kind == VALUE_DICT)
            return run_fail(run, "unhashable type: '%s'", value_type(&key));
        if (!value_contains(run, &all, &key, &found))
            return false;
        if (!found && (!gather_add(&seen, &key) || !gather_add(&kept, &items.items[i])))
            return false;
    }
    return value_iterator(run, kept.items, kept.count, out);
}

bool filter_sum(struct run *run, const struct value *subject, const struct call *call,
                struct value *out)
{
    struct list items;
    struct value total = call->values[1].kind == VALUE_ABSENT ? value_int(0) : call->values[1];
    if (total.kind == VALUE_STRING)
        return run_fail(run, "sum() can't sum strings [use ''.join(seq) instead]");
    if (!value_items(run, subject, &items))
        return false;
    for (size_t i = 0; i < items.count; i++) {
        struct value item;
        if (!run_spend(run, 0) ||
            !attribute_of(run, &items.items[i], &call->values[0], NULL, &item) ||
            !value_binary(run, LEXEME_ADD, &total, &item, &total))
            return false;
    }
    *out = total;
    return true;
}

static bool find_extreme(struct run *run, const struct value *subject, const struct call *call,
                         int wanted, struct value *out)
{
    struct list items;
    struct value best_key = value_none(), key;
    if (!value_items(run, subject, &items))
        return false;
    if (items.count == 0)
        return value_undefined_hint(run, "No aggregated item, sequence was empty.", out);
    for (size_t i = 0; i < items.count; i++) {
        int order = wanted;
        if (!run_spend(run, 0) ||
            !attribute_of(run, &items.items[i], &call->values[1], NULL, &key) ||
            (!is_true(&call->values[0]) && !ignore_case(run, &key, &key)) ||
            (i > 0 && !value_compare(run, &key, &best_key, &order)))
            return false;
        if (order == wanted) {
            best_key = key;
            *out = items.items[i];
        }
    }
    return true;
}

bool filter_min(struct run *run, const struct value *subject, const struct call *call,
                struct value *out)
{
    return find_extreme(run, subject, call, -1, out);
}

bool filter_max(struct run *run, const struct value *subject, const struct call *call,
                struct value *out)
{
    return find_extreme(run, subject, call, 1, out);
}
