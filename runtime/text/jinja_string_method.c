/* jinja_string_method.c: the methods of Python's str. On Markup (what |safe made) they give Markup
 * and escape what they put in, as markupsafe does. */
#include "jinja_method.h"
#include "jinja_string_method.h"
#include "jinja_text.h"

#include <string.h>

static bool text_argument(struct run *run, const struct call *call, size_t index, struct value *out)
{
    *out = call->values[index];
    if (out->kind == VALUE_STRING)
        return true;
    return run_fail(run, "argument %zu must be str, not %s", index + 1, value_type(out));
}

static bool integer_argument(struct run *run, const struct call *call, size_t index,
                             int64_t missing, int64_t *out)
{
    const struct value *value = &call->values[index];
    *out = missing;
    if (value->kind == VALUE_ABSENT || (value->kind == VALUE_NONE && missing == -1))
        return true;
    if (!value_is_integer(value))
        return run_fail(run, "'%s' object cannot be interpreted as an integer", value_type(value));
    *out = value_integer(value);
    return true;
}

static struct value part_of(const struct value *subject, size_t start, size_t end)
{
    struct value part = value_bytes(subject->bytes + start, end - start);
    part.markup = subject->markup;
    return part;
}

/* strip */

static bool is_one_of(const struct value *characters, const char *bytes, size_t length)
{
    return text_find(characters->bytes, characters->size, bytes, length) != SIZE_MAX;
}

static size_t strip_start(const struct value *subject, const struct value *characters)
{
    size_t position = 0, length;
    if (!characters)
        return text_space(subject->bytes, subject->size);
    while (position < subject->size) {
        text_decode(subject->bytes + position, subject->size - position, &length);
        if (!is_one_of(characters, subject->bytes + position, length))
            break;
        position += length;
    }
    return position;
}

static size_t strip_end(const struct value *subject, const struct value *characters, size_t start)
{
    size_t end = subject->size, length;
    if (!characters)
        return end - text_space_before(subject->bytes + start, end - start);
    while (end > start) {
        text_decode_before(subject->bytes, end, &length);
        if (!is_one_of(characters, subject->bytes + end - length, length))
            break;
        end -= length;
    }
    return end;
}

bool string_strip(struct run *run, const struct value *subject, const struct value *characters,
                  bool at_start, bool at_end, struct value *out)
{
    struct value set;
    const struct value *which = NULL;
    if (characters->kind != VALUE_ABSENT && characters->kind != VALUE_NONE) {
        if (characters->kind != VALUE_STRING)
            return run_fail(run, "strip arg must be None or str, not %s", value_type(characters));
        set = *characters;
        if (subject->markup && !value_escape(run, characters, &set))
            return false;
        which = &set;
    }
    size_t cost = subject->size + (which ? which->size : 0) * (subject->size >> 6);
    if (!run_spend(run, cost))
        return false;
    size_t start = at_start ? strip_start(subject, which) : 0;
    *out = part_of(subject, start, at_end ? strip_end(subject, which, start) : subject->size);
    return true;
}

static bool string_strip_both(struct run *run, const struct value *subject, const struct call *call,
                              struct value *out)
{
    return string_strip(run, subject, &call->values[0], true, true, out);
}

static bool string_lstrip(struct run *run, const struct value *subject, const struct call *call,
                          struct value *out)
{
    return string_strip(run, subject, &call->values[0], true, false, out);
}

static bool string_rstrip(struct run *run, const struct value *subject, const struct call *call,
                          struct value *out)
{
    return string_strip(run, subject, &call->values[0], false, true, out);
}

/* startswith, endswith, find, count, index */

/* Cuts the subject to [start:end], given as arguments `first` and the one behind. */
static bool cut_subject(struct run *run, const struct value *subject, const struct call *call,
                        size_t first, struct value *out)
{
    struct value parts[3] = {call->values[first], call->values[first + 1], value_none()};
    *out = *subject;
    for (int i = 0; i < 2; i++)
        if (parts[i].kind == VALUE_ABSENT)
            parts[i] = value_none();
    if (parts[0].kind == VALUE_NONE && parts[1].kind == VALUE_NONE)
        return true;
    return value_slice(run, subject, parts, out);
}

static bool has_affix(const struct value *text, const struct value *affix, bool at_end)
{
    if (affix->size > text->size)
        return false;
    const char *at = text->bytes + (at_end ? text->size - affix->size : 0);
    return memcmp(at, affix->bytes, affix->size) == 0;
}

static bool match_affix(struct run *run, const struct value *subject, const struct call *call,
                        bool at_end, struct value *out)
{
    const struct value *affix = &call->values[0];
    struct value text;
    bool matches = false;
    size_t count = affix->kind == VALUE_TUPLE ? affix->list->count : 1;
    if (!cut_subject(run, subject, call, 1, &text))
        return false;
    for (size_t i = 0; i < count && !matches; i++) {
        const struct value *one = affix->kind == VALUE_TUPLE ? &affix->list->items[i] : affix;
        if (one->kind != VALUE_STRING)
            return run_fail(run, "%s first arg must be str or a tuple of str, not %s",
                            at_end ? "endswith" : "startswith", value_type(one));
        if (!run_spend(run, one->size))
            return false;
        matches = has_affix(&text, one, at_end);
    }
    *out = value_bool(matches);
    return true;
}

static bool string_startswith(struct run *run, const struct value *subject, const struct call *call,
                              struct value *out)
{
    return match_affix(run, subject, call, false, out);
}

static bool string_endswith(struct run *run, const struct value *subject, const struct call *call,
                            struct value *out)
{
    return match_affix(run, subject, call, true, out);
}

static bool find_position(struct run *run, const struct value *subject, const struct call *call,
                          bool last, struct value *out)
{
    struct value part, text;
    if (call->values[1].kind != VALUE_ABSENT)
        return run_refuse(run, "a start in find");
    if (!text_argument(run, call, 0, &part) || !cut_subject(run, subject, call, 1, &text) ||
        !run_spend(run, text.size))
        return false;
    size_t offset = last ? text_find_last(text.bytes, text.size, part.bytes, part.size)
                         : text_find(text.bytes, text.size, part.bytes, part.size);
    *out = offset == SIZE_MAX ? value_int(-1) : value_size(text_count(text.bytes, offset));
    return true;
}

static bool string_find(struct run *run, const struct value *subject, const struct call *call,
                        struct value *out)
{
    return find_position(run, subject, call, false, out);
}

static bool string_rfind(struct run *run, const struct value *subject, const struct call *call,
                         struct value *out)
{
    return find_position(run, subject, call, true, out);
}

static bool string_index(struct run *run, const struct value *subject, const struct call *call,
                         struct value *out)
{
    return find_position(run, subject, call, false, out) &&
           (out->integer >= 0 || run_fail(run, "substring not found"));
}

static bool string_rindex(struct run *run, const struct value *subject, const struct call *call,
                          struct value *out)
{
    return find_position(run, subject, call, true, out) &&
           (out->integer >= 0 || run_fail(run, "substring not found"));
}

static bool string_count(struct run *run, const struct value *subject, const struct call *call,
                         struct value *out)
{
    struct value part, text;
    size_t count = 0, position = 0;
    if (!text_argument(run, call, 0, &part) || !cut_subject(run, subject, call, 1, &text) ||
        !run_spend(run, text.size))
        return false;
    if (part.size == 0)
        count = text_count(text.bytes, text.size) + 1;
    while (part.size > 0) {
        size_t found =
            text_find(text.bytes + position, text.size - position, part.bytes, part.size);
        if (found == SIZE_MAX)
            break;
        position += found + part.size;
        count++;
    }
    *out = value_size(count);
    return true;
}

/* replace, removeprefix, removesuffix, join */

/* Behind the next place where `old` is replaced; an empty one matches before every character. */
static size_t next_match(const struct value *text, const struct value *old, size_t position,
                         bool first)
{
    size_t length = 0;
    if (old->size > 0)
        return text_find(text->bytes + position, text->size - position, old->bytes, old->size);
    if (first)
        return 0;
    if (position >= text->size)
        return SIZE_MAX;
    text_decode(text->bytes + position, text->size - position, &length);
    return length;
}

bool string_replace(struct run *run, const struct value *text, const struct value *old,
                    const struct value *new, int64_t limit, struct value *out)
{
    struct builder result = {.run = run};
    size_t position = 0;
    bool first = true;
    if (!run_spend(run, text->size))
        return false;
    for (; limit != 0; limit--) {
        size_t found = next_match(text, old, position, first);
        if (found == SIZE_MAX)
            break;
        if (!builder_add(&result, text->bytes + position, found) ||
            !builder_add(&result, new->bytes, new->size) || !run_spend(run, 0))
            return false;
        position += found + old->size;
        first = false;
    }
    if (!builder_add(&result, text->bytes + position, text->size - position))
        return false;
    *out = builder_value(&result);
    return true;
}

static bool string_replace_method(struct run *run, const struct value *subject,
                                  const struct call *call, struct value *out)
{
    struct value old, new;
    int64_t limit;
    if (!text_argument(run, call, 0, &old) || !text_argument(run, call, 1, &new) ||
        !integer_argument(run, call, 2, -1, &limit))
        return false;
    if (subject->markup &&
        (!value_escape(run, &call->values[0], &old) || !value_escape(run, &call->values[1], &new)))
        return false;
    bool done = string_replace(run, subject, &old, &new, limit, out);
    out->markup = subject->markup;
    return done;
}

static bool remove_affix(struct run *run, const struct value *subject, const struct call *call,
                         bool at_end, struct value *out)
{
    struct value affix;
    if (!text_argument(run, call, 0, &affix))
        return false;
    *out = value_bytes(subject->bytes, subject->size);
    if (!has_affix(subject, &affix, at_end))
        return true;
    out->size -= affix.size;
    out->bytes += at_end ? 0 : affix.size;
    return true;
}

static bool string_removeprefix(struct run *run, const struct value *subject,
                                const struct call *call, struct value *out)
{
    return remove_affix(run, subject, call, false, out);
}

static bool string_removesuffix(struct run *run, const struct value *subject,
                                const struct call *call, struct value *out)
{
    return remove_affix(run, subject, call, true, out);
}

static bool string_join(struct run *run, const struct value *subject, const struct call *call,
                        struct value *out)
{
    struct builder text = {.run = run};
    struct list items;
    if (!value_items(run, &call->values[0], &items))
        return false;
    for (size_t i = 0; i < items.count; i++) {
        struct value item = items.items[i];
        if (item.kind != VALUE_STRING && !subject->markup)
            return run_fail(run, "sequence item %zu: expected str instance, %s found", i,
                            value_type(&item));
        if (!run_spend(run, 0) || (subject->markup && !value_escape(run, &items.items[i], &item)) ||
            (i > 0 && !builder_add(&text, subject->bytes, subject->size)) ||
            !builder_add(&text, item.bytes, item.size))
            return false;
    }
    *out = builder_value(&text);
    out->markup = subject->markup;
    return true;
}

const struct builtin string_methods[] = {
    {"strip", "chars", 0, string_strip_both},
    {"lstrip", "chars", 0, string_lstrip},
    {"rstrip", "chars", 0, string_rstrip},
    {"startswith", "prefix start end", 1, string_startswith},
    {"endswith", "suffix start end", 1, string_endswith},
    {"find", "sub start end", 1, string_find},
    {"rfind", "sub start end", 1, string_rfind},
    {"index", "sub start end", 1, string_index},
    {"rindex", "sub start end", 1, string_rindex},
    {"count", "sub start end", 1, string_count},
    {"replace", "old new count", 2, string_replace_method},
    {"removeprefix", "prefix", 1, string_removeprefix},
    {"removesuffix", "suffix", 1, string_removesuffix},
    {"join", "iterable", 1, string_join},
    {"split", "sep maxsplit", 0, string_split},
    {"rsplit", "sep maxsplit", 0, string_rsplit},
    {"splitlines", "keepends", 0, string_splitlines},
    {"partition", "sep", 1, string_partition},
    {"rpartition", "sep", 1, string_rpartition},
    {"upper", "", 0, string_upper},
    {"lower", "", 0, string_lower},
    {"title", "", 0, string_title},
    {"capitalize", "", 0, string_capitalize},
    {"swapcase", "", 0, string_swapcase},
    {"isalpha", "", 0, string_isalpha},
    {"isalnum", "", 0, string_isalnum},
    {"isdigit", "", 0, string_isdigit},
    {"isdecimal", "", 0, string_isdecimal},
    {"isnumeric", "", 0, string_isnumeric},
    {"isspace", "", 0, string_isspace},
    {"isupper", "", 0, string_isupper},
    {"islower", "", 0, string_islower},
    {"ljust", "width fillchar", 1, string_ljust},
    {"rjust", "width fillchar", 1, string_rjust},
    {"center", "width fillchar", 1, string_center},
    {"zfill", "width", 1, string_zfill},
    {"format", NULL, 0, format_method},
    {"casefold", NULL, 0, NULL},
    {"encode", NULL, 0, NULL},
    {"expandtabs", NULL, 0, NULL},
    {"format_map", NULL, 0, NULL},
    {"isascii", NULL, 0, NULL},
    {"isidentifier", NULL, 0, NULL},
    {"isprintable", NULL, 0, NULL},
    {"istitle", NULL, 0, NULL},
    {"maketrans", NULL, 0, NULL},
    {"translate", NULL, 0, NULL},
    {NULL, NULL, 0, NULL},
};
