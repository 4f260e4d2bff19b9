/* jinja_member.c: a.name, a[index] and a[start:stop:step]. As in jinja2, a.name looks for a method
 * first and then for an item, a[name] the other way round, and what is not there is undefined. */
#include "jinja_run.h"
#include "jinja_text.h"

#include <string.h>

static bool unsafe(struct run *run, const struct value *value, const struct value *name,
                   struct value *out)
{
    struct builder hint = {.run = run};
    if (!builder_text(&hint, "access to attribute ") || !value_repr(run, name, &hint) ||
        !builder_text(&hint, " of '") || !builder_text(&hint, value_type(value)) ||
        !builder_text(&hint, "' object is unsafe.") || !builder_character(&hint, 0))
        return false;
    return value_undefined_hint(run, hint.bytes, out);
}

static bool bind_method(struct run *run, const struct value *value, const struct builtin *builtin,
                        struct value *out)
{
    struct method *method = run_alloc(run, 1, sizeof *method);
    if (!method)
        return false;
    *method = (struct method){builtin, *value};
    *out = (struct value){.kind = VALUE_METHOD, .method = method};
    return true;
}

/* What Python's getattr() finds. */
static bool find_attribute(struct run *run, const struct value *value, const struct value *name,
                           struct value *out, bool *found)
{
    bool mutates;
    *found = true;
    if (value->kind == VALUE_LOOP)
        return loop_attribute(run, value->loop, name, out, found);
    if (value->kind == VALUE_NAMESPACE) {
        const struct value *member = dict_find(run, value->dict, name);
        *found = member != NULL;
        if (member)
            *out = *member;
        return true;
    }
    if (name->size > 1 && memcmp(name->bytes, "__", 2) == 0)
        return unsafe(run, value, name, out);
    const struct builtin *method = method_find(value->kind, name->bytes, name->size, &mutates);
    if (method)
        return mutates ? unsafe(run, value, name, out) : bind_method(run, value, method, out);
    *found = false;
    return true;
}

static bool list_item(const struct value *value, const struct value *index, struct value *out)
{
    size_t count = value->list->count;
    if (!value_is_integer(index))
        return false;
    int64_t position = value_integer(index);
    if (position < 0)
        position += (int64_t)count;
    if (position < 0 || position >= (int64_t)count)
        return false;
    *out = value->list->items[position];
    return true;
}

static bool string_item(struct run *run, const struct value *value, const struct value *index,
                        struct value *out)
{
    if (!value_is_integer(index) || !run_spend(run, value->size))
        return false;
    int64_t position = value_integer(index);
    size_t length, offset;
    if (position < 0)
        position += (int64_t)text_count(value->bytes, value->size);
    if (position < 0 || position >= (int64_t)value->size)
        return false;
    offset = text_offset(value->bytes, value->size, (size_t)position);
    if (offset >= value->size)
        return false;
    text_decode(value->bytes + offset, value->size - offset, &length);
    *out = value_bytes(value->bytes + offset, length);
    out->markup = value->markup;
    return true;
}

static bool range_value(const struct range *range, const struct value *index, struct value *out)
{
    if (!value_is_integer(index))
        return false;
    int64_t position = value_integer(index);
    if (position < 0)
        position += (int64_t)range->count;
    if (position < 0 || position >= (int64_t)range->count)
        return false;
    *out = value_int(range_item(range, (size_t)position));
    return true;
}

static bool dict_value(struct run *run, const struct value *value, const struct value *index,
                       struct value *out)
{
    const struct value *found = dict_find(run, value->dict, index);
    if (found)
        *out = *found;
    return found != NULL;
}

/* What value[index] finds in Python; false where it raises. */
static bool find_item(struct run *run, const struct value *value, const struct value *index,
                      struct value *out)
{
    switch (value->kind) {
    case VALUE_DICT:
        return dict_value(run, value, index, out);
    case VALUE_LIST:
    case VALUE_TUPLE:
        return list_item(value, index, out);
    case VALUE_STRING:
        return string_item(run, value, index, out);
    case VALUE_RANGE:
        return range_value(value->range, index, out);
    default:
        return false;
    }
}

bool value_attribute(struct run *run, const struct value *value, const struct value *name,
                     struct value *out)
{
    bool found;
    if (value->kind == VALUE_UNDEFINED)
        return value_fail_undefined(run, value);
    if (!find_attribute(run, value, name, out, &found))
        return false;
    if (found || find_item(run, value, name, out))
        return true;
    return value_undefined(run, value, name, out) && !run->failed;
}

bool value_item(struct run *run, const struct value *value, const struct value *index,
                struct value *out)
{
    bool found = false;
    if (value->kind == VALUE_UNDEFINED)
        return value_fail_undefined(run, value);
    if (find_item(run, value, index, out))
        return true;
    if (index->kind == VALUE_STRING && !find_attribute(run, value, index, out, &found))
        return false;
    return found || (value_undefined(run, value, index, out) && !run->failed);
}

/* A slice as Python's slice.indices(count): from *start, `*count` items, each `step` further. */
static bool slice_range(struct run *run, const struct value *parts, int64_t length, int64_t *start,
                        int64_t *step, size_t *count)
{
    int64_t ends[2];
    *step = parts[2].kind == VALUE_NONE ? 1 : value_integer(&parts[2]);
    if (*step == 0)
        return run_fail(run, "slice step cannot be zero");
    for (int i = 0; i < 2; i++) {
        int64_t lowest = *step < 0 ? -1 : 0, highest = *step < 0 ? length - 1 : length;
        int64_t end = (i == 0) == (*step < 0) ? highest : lowest;
        if (parts[i].kind != VALUE_NONE) {
            end = value_integer(&parts[i]);
            if (end < 0)
                end = end < -length ? lowest : end + length;
            end = end > highest ? highest : end;
        }
        ends[i] = end;
    }
    int64_t span = *step < 0 ? ends[0] - ends[1] : ends[1] - ends[0];
    uint64_t stride = *step < 0 ? 0 - (uint64_t)*step : (uint64_t)*step;
    *start = ends[0];
    *count = span > 0 ? (size_t)(((uint64_t)span - 1) / stride) + 1 : 0;
    return true;
}

static bool slice_string(struct run *run, const struct value *value, int64_t start, int64_t step,
                         size_t count, struct value *out)
{
    struct list characters;
    struct builder text = {.run = run};
    if (!run_spend(run, value->size))
        return false;
    if (step == 1 || count == 0) {
        size_t first = text_offset(value->bytes, value->size, (size_t)start);
        size_t size = text_offset(value->bytes + first, value->size - first, count);
        *out = value_bytes(value->bytes + first, size);
        return true;
    }
    if (!value_items(run, value, &characters))
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct value *item = &characters.items[start + (int64_t)i * step];
        if (!builder_add(&text, item->bytes, item->size))
            return false;
    }
    *out = builder_value(&text);
    return true;
}

static bool slice_list(struct run *run, const struct value *value, int64_t start, int64_t step,
                       size_t count, struct value *out)
{
    if (!run_spend(run, count * sizeof *out) || !value_list(run, value->kind, count, out))
        return false;
    for (size_t i = 0; i < count; i++)
        out->list->items[i] = value->list->items[start + (int64_t)i * step];
    return true;
}

static bool slice_as_range(struct run *run, const struct value *value, int64_t start, int64_t step,
                           size_t count, struct value *out)
{
    struct range *range = run_alloc(run, 1, sizeof *range);
    if (!range)
        return false;
    range->start = range_item(value->range, (size_t)start);
    range->step = value->range->step * step;
    range->count = count;
    range->stop = range->start + range->step * (int64_t)count;
    *out = (struct value){.kind = VALUE_RANGE, .range = range};
    return true;
}

static bool is_sliceable(const struct value *value)
{
    return value->kind == VALUE_STRING || value->kind == VALUE_LIST || value->kind == VALUE_TUPLE ||
           value->kind == VALUE_RANGE;
}

bool value_slice(struct run *run, const struct value *value, const struct value *parts,
                 struct value *out)
{
    int64_t start = 0, step = 1;
    size_t length, count = 0;
    if (value->kind == VALUE_UNDEFINED)
        return value_fail_undefined(run, value);
    if (!is_sliceable(value))
        return run_fail(run, "'%s' object cannot be sliced", value_type(value));
    for (int i = 0; i < 3; i++)
        if (parts[i].kind != VALUE_NONE && !value_is_integer(&parts[i]))
            return run_fail(run, "slice indices must be integers or None");
    if (!value_length(run, value, &length) ||
        !slice_range(run, parts, (int64_t)length, &start, &step, &count))
        return false;
    if (value->kind == VALUE_RANGE)
        return slice_as_range(run, value, start, step, count, out);
    if (value->kind != VALUE_STRING)
        return slice_list(run, value, start, step, count, out);
    bool done = slice_string(run, value, start, step, count, out);
    out->markup = value->markup;
    return done;
}
