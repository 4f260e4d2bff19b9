/* jinja_filter_text.c: filters that make a string of a string. What is not one is made one first.
 */
#include "jinja_filter.h"
#include "jinja_string_method.h"
#include "jinja_text.h"

#include <string.h>

static bool apply(struct run *run, const struct value *subject, builtin_function *method,
                  struct value *out)
{
    struct call none = {0};
    struct value text;
    return value_soft_string(run, subject, &text) && method(run, &text, &none, out);
}

bool filter_upper(struct run *run, const struct value *subject, const struct call *call,
                  struct value *out)
{
    (void)call;
    return apply(run, subject, string_upper, out);
}

bool filter_lower(struct run *run, const struct value *subject, const struct call *call,
                  struct value *out)
{
    (void)call;
    return apply(run, subject, string_lower, out);
}

bool filter_capitalize(struct run *run, const struct value *subject, const struct call *call,
                       struct value *out)
{
    (void)call;
    return apply(run, subject, string_capitalize, out);
}

static bool is_word_break(const char *bytes, size_t length, int32_t character)
{
    return (length == 1 && strchr("-({[<", *bytes) && *bytes) || text_is(character, CLASS_SPACE);
}

/* Where the next word or the next run of breaks ends. */
static size_t word_end(const struct value *text, size_t position)
{
    bool breaks = false;
    for (size_t start = position, length; position < text->size; position += length) {
        const char *bytes = text->bytes + position;
        int32_t character = text_decode(bytes, text->size - position, &length);
        bool is_break = is_word_break(bytes, length, character);
        if (position > start && is_break != breaks)
            break;
        breaks = is_break;
    }
    return position;
}

/* Unlike str.title, a word begins only behind white space or one of - ( { [ <. */
bool filter_title(struct run *run, const struct value *subject, const struct call *call,
                  struct value *out)
{
    struct builder title = {.run = run};
    struct value text, part, upper, lower;
    struct call none = {0};
    size_t end;
    (void)call;
    if (!value_string(run, subject, &text) || !run_spend(run, text.size))
        return false;
    for (size_t position = 0; position < text.size; position = end) {
        end = word_end(&text, position);
        size_t first = text_offset(text.bytes + position, end - position, 1);
        part = value_bytes(text.bytes + position, first);
        if (!string_upper(run, &part, &none, &upper))
            return false;
        part = value_bytes(text.bytes + position + first, end - position - first);
        if (!string_lower(run, &part, &none, &lower) ||
            !builder_add(&title, upper.bytes, upper.size) ||
            !builder_add(&title, lower.bytes, lower.size))
            return false;
    }
    *out = builder_value(&title);
    return true;
}

bool filter_trim(struct run *run, const struct value *subject, const struct call *call,
                 struct value *out)
{
    struct value text;
    return value_soft_string(run, subject, &text) &&
           string_strip(run, &text, &call->values[0], true, true, out);
}

bool filter_string(struct run *run, const struct value *subject, const struct call *call,
                   struct value *out)
{
    (void)call;
    return value_soft_string(run, subject, out);
}

bool filter_safe(struct run *run, const struct value *subject, const struct call *call,
                 struct value *out)
{
    (void)call;
    if (!value_string(run, subject, out))
        return false;
    out->markup = true;
    return true;
}

bool filter_escape(struct run *run, const struct value *subject, const struct call *call,
                   struct value *out)
{
    (void)call;
    return value_escape(run, subject, out);
}

bool filter_center(struct run *run, const struct value *subject, const struct call *call,
                   struct value *out)
{
    struct value text, fill = value_text(" ");
    const struct value *width = &call->values[0];
    if (width->kind != VALUE_ABSENT && !value_is_integer(width))
        return run_fail(run, "'%s' object cannot be interpreted as an integer", value_type(width));
    return value_soft_string(run, subject, &text) &&
           string_pad(run, &text, width->kind == VALUE_ABSENT ? 80 : value_integer(width), &fill,
                      SIDE_CENTER, out);
}

bool filter_replace(struct run *run, const struct value *subject, const struct call *call,
                    struct value *out)
{
    const struct value *count = &call->values[2];
    struct value text, old, new;
    bool all = count->kind == VALUE_ABSENT || count->kind == VALUE_NONE;
    if (!all && !value_is_integer(count))
        return run_fail(run, "'%s' object cannot be interpreted as an integer", value_type(count));
    return value_string(run, subject, &text) && value_string(run, &call->values[0], &old) &&
           value_string(run, &call->values[1], &new) &&
           string_replace(run, &text, &old, &new, all ? -1 : value_integer(count), out);
}

bool filter_format(struct run *run, const struct value *subject, const struct call *call,
                   struct value *out)
{
    struct list items = {call->values, call->count};
    struct value text, argument = {.kind = VALUE_TUPLE, .list = &items};
    if (call->count > 0 && call->keyword_count > 0)
        return run_fail(run, "can't handle positional and keyword arguments at the same time");
    if (call->keyword_count > 0) {
        if (!value_dict(run, VALUE_DICT, call->keyword_count, &argument))
            return false;
        for (size_t i = 0; i < call->keyword_count; i++)
            if (!dict_set(run, argument.dict, &call->keywords[i].name, &call->keywords[i].value))
                return false;
    }
    return value_soft_string(run, subject, &text) && value_format(run, &text, &argument, out);
}

static bool add_lines(struct builder *out, const struct list *lines, const struct value *indent,
                      bool first, bool blank)
{
    for (size_t i = 0; i < lines->count; i++) {
        const struct value *line = &lines->items[i];
        bool indented = i == 0 ? first : blank || line->size > 0;
        if (!run_spend(out->run, 0) || (i > 0 && !builder_character(out, '\n')) ||
            (indented && !builder_add(out, indent->bytes, indent->size)) ||
            !builder_add(out, line->bytes, line->size))
            return false;
    }
    return true;
}

bool filter_indent(struct run *run, const struct value *subject, const struct call *call,
                   struct value *out)
{
    const struct value *width = &call->values[0];
    struct value newline = value_text("\n"), indent = value_text(" "), text, lines;
    struct builder result = {.run = run};
    bool first = call->values[1].kind != VALUE_ABSENT && value_truth(&call->values[1]);
    bool blank = call->values[2].kind != VALUE_ABSENT && value_truth(&call->values[2]);
    if (subject->kind == VALUE_UNDEFINED)
        return value_fail_undefined(run, subject);
    if (subject->kind != VALUE_STRING)
        return run_fail(run, "indent needs a string, not %s", value_type(subject));
    if (width->kind == VALUE_STRING)
        indent = *width;
    else if (width->kind != VALUE_ABSENT && !value_is_integer(width))
        return run_fail(run, "can't multiply sequence by non-int of type '%s'", value_type(width));
    else if (!value_repeat(run, &indent, width->kind == VALUE_ABSENT ? 4 : value_integer(width),
                           &indent))
        return false;
    if (!value_join(run, subject, &newline, &text) || !string_lines(run, &text, false, &lines) ||
        !add_lines(&result, lines.list, &indent, first, blank))
        return false;
    *out = builder_value(&result);
    out->markup = subject->markup;
    return true;
}
