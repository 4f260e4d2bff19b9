/* jinja_string.c: str() and repr() of every value, and HTML escaping. */
#include "jinja_number.h"
#include "jinja_run.h"
#include "jinja_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool repr_character(struct builder *out, const char *bytes, size_t length, int32_t character,
                           char quote)
{
    char text[16];
    if (character == quote || character == '\\') {
        snprintf(text, sizeof text, "\\%c", (char)character);
        return builder_text(out, text);
    }
    if (text_is(character, CLASS_PRINTABLE))
        return builder_add(out, bytes, length);
    if (character == '\n' || character == '\r' || character == '\t')
        snprintf(text, sizeof text, "\\%c",
                 character == '\n'   ? 'n'
                 : character == '\r' ? 'r'
                                     : 't');
    else if (character < 0x100)
        snprintf(text, sizeof text, "\\x%02x", (unsigned)character);
    else if (character < 0x10000)
        snprintf(text, sizeof text, "\\u%04x", (unsigned)character);
    else
        snprintf(text, sizeof text, "\\U%08x", (unsigned)character);
    return builder_text(out, text);
}

static bool repr_string(struct builder *out, const struct value *value)
{
    bool single = value->size > 0 && memchr(value->bytes, '\'', value->size);
    bool twice = value->size > 0 && memchr(value->bytes, '"', value->size);
    char quote = single && !twice ? '"' : '\'';
    size_t position = 0, length;
    if (!run_spend(out->run, value->size) || (value->markup && !builder_text(out, "Markup(")) ||
        !builder_character(out, quote))
        return false;
    while (position < value->size) {
        const char *bytes = value->bytes + position;
        int32_t character = text_decode(bytes, value->size - position, &length);
        if (!repr_character(out, bytes, length, character, quote))
            return false;
        position += length;
    }
    return builder_character(out, quote) && (!value->markup || builder_character(out, ')'));
}

static bool repr_items(struct run *run, const struct list *list, char open, char close, bool tuple,
                       struct builder *out)
{
    if (!builder_character(out, open))
        return false;
    for (size_t i = 0; i < list->count; i++)
        if ((i > 0 && !builder_text(out, ", ")) || !value_repr(run, &list->items[i], out))
            return false;
    if (tuple && list->count == 1 && !builder_character(out, ','))
        return false;
    return builder_character(out, close);
}

static bool repr_dict(struct run *run, const struct dict *dict, struct builder *out)
{
    if (!builder_character(out, '{'))
        return false;
    for (size_t i = 0; i < dict->count; i++)
        if ((i > 0 && !builder_text(out, ", ")) || !value_repr(run, &dict->pairs[i].key, out) ||
            !builder_text(out, ": ") || !value_repr(run, &dict->pairs[i].value, out))
            return false;
    return builder_character(out, '}');
}

static bool repr_view(struct run *run, const struct value *value, struct builder *out)
{
    struct list items;
    return builder_text(out, value_type(value)) && builder_character(out, '(') &&
           value_items(run, value, &items) && repr_items(run, &items, '[', ']', false, out) &&
           builder_character(out, ')');
}

static bool repr_range(const struct range *range, struct builder *out)
{
    char text[80];
    int size =
        snprintf(text, sizeof text, "range(%" PRId64 ", %" PRId64, range->start, range->stop);
    if (range->step != 1)
        snprintf(text + size, sizeof text - (size_t)size, ", %" PRId64, range->step);
    return builder_text(out, text) && builder_character(out, ')');
}

static bool repr_number(const struct value *value, struct builder *out)
{
    char text[32];
    size_t size;
    if (value->kind == VALUE_FLOAT)
        size = number_repr(value->real, text);
    else
        size = (size_t)snprintf(text, sizeof text, "%" PRId64, value->integer);
    return builder_add(out, text, size);
}

static bool repr_container(struct run *run, const struct value *value, struct builder *out)
{
    switch (value->kind) {
    case VALUE_LIST:
        return repr_items(run, value->list, '[', ']', false, out);
    case VALUE_TUPLE:
        return repr_items(run, value->list, '(', ')', true, out);
    case VALUE_DICT:
        return repr_dict(run, value->dict, out);
    case VALUE_NAMESPACE:
        return builder_text(out, "<Namespace ") && repr_dict(run, value->dict, out) &&
               builder_character(out, '>');
    case VALUE_VIEW:
        return repr_view(run, value, out);
    default: /* its text in Python holds an address */
        return run_refuse(run, "printing a %s", value_type(value));
    }
}

bool value_repr(struct run *run, const struct value *value, struct builder *out)
{
    switch (value->kind) {
    case VALUE_UNDEFINED:
        return builder_text(out, "Undefined");
    case VALUE_NONE:
        return builder_text(out, "None");
    case VALUE_BOOL:
        return builder_text(out, value->boolean ? "True" : "False");
    case VALUE_INT:
    case VALUE_FLOAT:
        return repr_number(value, out);
    case VALUE_STRING:
        return repr_string(out, value);
    case VALUE_RANGE:
        return repr_range(value->range, out);
    default:
        break;
    }
    if (!run_enter(run) || !run_spend(run, 0))
        return false;
    bool done = repr_container(run, value, out);
    run_leave(run);
    return done;
}

bool value_write(struct builder *out, const struct value *value)
{
    if (value->kind == VALUE_STRING)
        return builder_add(out, value->bytes, value->size);
    return value->kind == VALUE_UNDEFINED || value_repr(out->run, value, out);
}

bool value_string(struct run *run, const struct value *value, struct value *out)
{
    struct builder text = {.run = run};
    if (value->kind == VALUE_STRING) {
        *out = value_bytes(value->bytes, value->size);
        return true;
    }
    if (!value_write(&text, value))
        return false;
    *out = builder_value(&text);
    return true;
}

bool value_soft_string(struct run *run, const struct value *value, struct value *out)
{
    *out = *value; /* Markup stays what it is */
    return value->kind == VALUE_STRING || value_string(run, value, out);
}

bool value_escape(struct run *run, const struct value *value, struct value *out)
{
    static const char special[] = "&<>'\"";
    static const char *const entities[] = {"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
    struct builder text = {.run = run};
    struct value plain;
    if (value->markup) {
        *out = *value;
        return true;
    }
    if (!value_string(run, value, &plain) || !run_spend(run, plain.size))
        return false;
    for (size_t i = 0; i < plain.size; i++) {
        const char *found = plain.bytes[i] ? strchr(special, plain.bytes[i]) : NULL;
        if (found ? !builder_text(&text, entities[found - special])
                  : !builder_character(&text, plain.bytes[i]))
            return false;
    }
    *out = builder_value(&text);
    out->markup = true;
    return true;
}
