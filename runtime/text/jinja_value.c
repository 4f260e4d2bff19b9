/* jinja_value.c: makes values and answers what Python's truth, len() and iteration say of them. */
#include "jinja_value.h"
#include "jinja_run.h"
#include "jinja_text.h"

#include <string.h>

struct value value_none(void)
{
    return (struct value){.kind = VALUE_NONE};
}

struct value value_bool(bool boolean)
{
    return (struct value){.kind = VALUE_BOOL, .boolean = boolean};
}

struct value value_int(int64_t integer)
{
    return (struct value){.kind = VALUE_INT, .integer = integer};
}

struct value value_size(size_t count)
{
    return value_int((int64_t)count);
}

struct value value_float(double real)
{
    return (struct value){.kind = VALUE_FLOAT, .real = real};
}

struct value value_bytes(const char *bytes, size_t size)
{
    return (struct value){.kind = VALUE_STRING, .bytes = bytes, .size = size};
}

struct value value_text(const char *text)
{
    return value_bytes(text, strlen(text));
}

bool value_list(struct run *run, enum value_kind kind, size_t count, struct value *out)
{
    struct list *list = run_alloc(run, 1, sizeof *list);
    if (!list || !(list->items = run_alloc(run, count, sizeof *list->items)))
        return false;
    list->count = count;
    *out = (struct value){.kind = kind, .list = list};
    return true;
}

bool value_dict(struct run *run, enum value_kind kind, size_t capacity, struct value *out)
{
    struct dict *dict = run_alloc(run, 1, sizeof *dict);
    if (!dict || !(dict->pairs = run_alloc(run, capacity, sizeof *dict->pairs)))
        return false;
    dict->capacity = capacity;
    *out = (struct value){.kind = kind, .dict = dict};
    return true;
}

bool value_iterator(struct run *run, struct value *items, size_t count, struct value *out)
{
    struct iterator *iterator = run_alloc(run, 1, sizeof *iterator);
    if (!iterator)
        return false;
    *iterator = (struct iterator){.items = items, .count = count};
    *out = (struct value){.kind = VALUE_ITERATOR, .iterator = iterator};
    return true;
}

bool value_pair(struct run *run, const struct value *first, const struct value *second,
                struct value *out)
{
    if (!value_list(run, VALUE_TUPLE, 2, out))
        return false;
    out->list->items[0] = *first;
    out->list->items[1] = *second;
    return true;
}

static bool make_undefined(struct run *run, struct undefined what, struct value *out)
{
    struct undefined *undefined = run_alloc(run, 1, sizeof *undefined);
    if (!undefined)
        return false;
    *undefined = what;
    *out = (struct value){.kind = VALUE_UNDEFINED, .undefined = undefined};
    return true;
}

bool value_undefined_hint(struct run *run, const char *hint, struct value *out)
{
    return make_undefined(run, (struct undefined){.hint = hint}, out);
}

bool value_undefined(struct run *run, const struct value *owner, const struct value *name,
                     struct value *out)
{
    return make_undefined(
        run, (struct undefined){.owner = owner ? value_type(owner) : NULL, .name = *name}, out);
}

bool value_fail_undefined(struct run *run, const struct value *value)
{
    const struct undefined *undefined = value->undefined;
    struct builder text = {.run = run};
    if (undefined->hint)
        return run_fail(run, "%s", undefined->hint);
    if (!value_repr(run, &undefined->name, &text))
        return false;
    int size = (int)text.size;
    const char *owner = undefined->owner;
    if (!owner)
        return run_fail(run, "%.*s is undefined", size, text.bytes);
    const char *object = strcmp(owner, "NoneType") == 0 ? "None" : owner;
    const char *word = object == owner ? " object" : "";
    if (undefined->name.kind == VALUE_STRING)
        return run_fail(run, "'%s%s' has no attribute %.*s", object, word, size, text.bytes);
    return run_fail(run, "%s%s has no element %.*s", object, word, size, text.bytes);
}

static const char *view_type(uint8_t view)
{
    return view == VIEW_KEYS ? "dict_keys" : view == VIEW_VALUES ? "dict_values" : "dict_items";
}

const char *value_type(const struct value *value)
{
    static const char *const names[] = {
        [VALUE_ABSENT] = "absent",
        [VALUE_UNDEFINED] = "Undefined",
        [VALUE_NONE] = "NoneType",
        [VALUE_BOOL] = "bool",
        [VALUE_INT] = "int",
        [VALUE_FLOAT] = "float",
        [VALUE_STRING] = "str",
        [VALUE_LIST] = "list",
        [VALUE_TUPLE] = "tuple",
        [VALUE_DICT] = "dict",
        [VALUE_RANGE] = "range",
        [VALUE_ITERATOR] = "generator",
        [VALUE_NAMESPACE] = "jinja2.utils.Namespace",
        [VALUE_MACRO] = "jinja2.runtime.Macro",
        [VALUE_FUNCTION] = "function",
        [VALUE_METHOD] = "builtin_function_or_method",
        [VALUE_LOOP] = "jinja2.runtime.LoopContext",
    };
    if (value->kind == VALUE_VIEW)
        return view_type(value->view);
    return value->markup ? "markupsafe.Markup" : names[value->kind];
}

bool value_is_text(const struct value *value, const char *text)
{
    return value->kind == VALUE_STRING && strlen(text) == value->size &&
           memcmp(value->bytes, text, value->size) == 0;
}

bool value_is_integer(const struct value *value)
{
    return value->kind == VALUE_INT || value->kind == VALUE_BOOL;
}

bool value_is_number(const struct value *value)
{
    return value_is_integer(value) || value->kind == VALUE_FLOAT;
}

int64_t value_integer(const struct value *value)
{
    return value->kind == VALUE_BOOL ? value->boolean : value->integer;
}

double value_real(const struct value *value)
{
    return value->kind == VALUE_FLOAT ? value->real : (double)value_integer(value);
}

size_t value_count(const struct value *value, bool *known)
{
    *known = true;
    switch (value->kind) {
    case VALUE_UNDEFINED:
        return 0;
    case VALUE_STRING:
        return text_count(value->bytes, value->size);
    case VALUE_LIST:
    case VALUE_TUPLE:
        return value->list->count;
    case VALUE_DICT:
    case VALUE_VIEW:
        return value->dict->count;
    case VALUE_RANGE:
        return value->range->count;
    case VALUE_LOOP:
        return value->loop->source.count;
    default:
        *known = false;
        return 0;
    }
}

bool value_length(struct run *run, const struct value *value, size_t *out)
{
    bool known;
    *out = value_count(value, &known);
    if (!known)
        return run_fail(run, "object of type '%s' has no len()", value_type(value));
    return value->kind != VALUE_STRING || run_spend(run, value->size);
}

bool value_truth(const struct value *value)
{
    bool known;
    switch (value->kind) {
    case VALUE_NONE:
    case VALUE_UNDEFINED:
        return false;
    case VALUE_BOOL:
        return value->boolean;
    case VALUE_INT:
        return value->integer != 0;
    case VALUE_FLOAT:
        return value->real != 0;
    case VALUE_STRING:
        return value->size > 0;
    default:
        return value_count(value, &known) > 0 || !known;
    }
}

int64_t range_item(const struct range *range, size_t index)
{
    return range->start + range->step * (int64_t)index;
}

const struct value *dict_find(struct run *run, const struct dict *dict, const struct value *key)
{
    for (size_t i = 0; i < dict->count; i++) {
        const struct pair *pair = &dict->pairs[i];
        bool equal = false;
        if (pair->key.kind == VALUE_STRING && key->kind == VALUE_STRING)
            equal =
                pair->key.size == key->size && memcmp(pair->key.bytes, key->bytes, key->size) == 0;
        else if (!value_equal(run, &pair->key, key, &equal))
            return NULL;
        if (equal)
            return &pair->value;
        if (i % 64 == 63 && !run_spend(run, 0))
            return NULL;
    }
    return NULL;
}

static bool is_hashable(const struct value *key)
{
    return key->kind != VALUE_LIST && key->kind != VALUE_DICT;
}

bool dict_set(struct run *run, struct dict *dict, const struct value *key,
              const struct value *value)
{
    if (!is_hashable(key))
        return run_fail(run, "unhashable type: '%s'", value_type(key));
    struct value *found = (struct value *)dict_find(run, dict, key);
    if (found) {
        *found = *value;
        return true;
    }
    if (dict->count == dict->capacity) {
        size_t capacity = 2 * dict->capacity + 4;
        struct pair *pairs = run_alloc(run, capacity, sizeof *pairs);
        if (!pairs)
            return false;
        if (dict->count > 0)
            memcpy(pairs, dict->pairs, dict->count * sizeof *pairs);
        dict->pairs = pairs;
        dict->capacity = capacity;
    }
    dict->pairs[dict->count++] = (struct pair){*key, *value};
    return true;
}

static bool string_items(struct run *run, const struct value *value, struct list *out)
{
    size_t position = 0, length, count = 0;
    size_t characters = text_count(value->bytes, value->size);
    if (!(out->items = run_alloc(run, characters, sizeof *out->items)))
        return false;
    while (position < value->size) {
        text_decode(value->bytes + position, value->size - position, &length);
        out->items[count++] = value_bytes(value->bytes + position, length);
        position += length;
    }
    out->count = count;
    return true;
}

static bool dict_items(struct run *run, const struct value *value, struct list *out)
{
    const struct dict *dict = value->dict;
    enum view_kind view = value->kind == VALUE_VIEW ? (enum view_kind)value->view : VIEW_KEYS;
    if (!(out->items = run_alloc(run, dict->count, sizeof *out->items)))
        return false;
    out->count = dict->count;
    for (size_t i = 0; i < dict->count; i++) {
        const struct pair *pair = &dict->pairs[i];
        if (view == VIEW_ITEMS) {
            if (!value_pair(run, &pair->key, &pair->value, &out->items[i]))
                return false;
        } else
            out->items[i] = view == VIEW_KEYS ? pair->key : pair->value;
    }
    return true;
}

static bool range_items(struct run *run, const struct range *range, struct list *out)
{
    if (!(out->items = run_alloc(run, range->count, sizeof *out->items)))
        return false;
    out->count = range->count;
    for (size_t i = 0; i < range->count; i++)
        out->items[i] = value_int(range_item(range, i));
    return true;
}

static void iterator_items(struct iterator *iterator, struct list *out)
{
    out->count = iterator->count - iterator->position;
    out->items = out->count > 0 ? iterator->items + iterator->position : NULL;
    iterator->position = iterator->count;
}

bool value_items(struct run *run, const struct value *value, struct list *out)
{
    *out = (struct list){NULL, 0};
    switch (value->kind) {
    case VALUE_UNDEFINED:
        return true;
    case VALUE_STRING:
        return string_items(run, value, out);
    case VALUE_LIST:
    case VALUE_TUPLE:
        *out = *value->list;
        return true;
    case VALUE_DICT:
    case VALUE_VIEW:
        return dict_items(run, value, out);
    case VALUE_RANGE:
        return range_items(run, value->range, out);
    case VALUE_ITERATOR:
        iterator_items(value->iterator, out);
        return true;
    default:
        return run_fail(run, "'%s' object is not iterable", value_type(value));
    }
}
