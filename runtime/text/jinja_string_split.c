/* jinja_string_split.c: split, rsplit, splitlines, partition. */
#include "jinja_string_method.h"
#include "jinja_text.h"

#include <string.h>

struct split {
    const struct value *text;
    const struct value *separator; /* NULL: white space */
    int64_t left;                  /* splits still allowed, negative = all */
    struct gather pieces;
};

static bool add_piece(struct split *split, size_t start, size_t end)
{
    struct value piece = value_bytes(split->text->bytes + start, end - start);
    piece.markup = split->text->markup;
    return gather_add(&split->pieces, &piece);
}

static size_t word_end(const struct value *text, size_t position)
{
    size_t length;
    while (
        position < text->size &&
        !text_is(text_decode(text->bytes + position, text->size - position, &length), CLASS_SPACE))
        position += length;
    return position;
}

static bool split_words(struct split *split)
{
    const struct value *text = split->text;
    size_t position = 0;
    for (;; split->left--) {
        position += text_space(text->bytes + position, text->size - position);
        if (position == text->size)
            return true;
        if (split->left == 0)
            break;
        size_t end = word_end(text, position);
        if (!add_piece(split, position, end))
            return false;
        position = end;
    }
    return add_piece(split, position, text->size);
}

static bool split_at(struct split *split)
{
    const struct value *text = split->text, *separator = split->separator;
    size_t position = 0;
    for (; split->left != 0; split->left--) {
        size_t found = text_find(text->bytes + position, text->size - position, separator->bytes,
                                 separator->size);
        if (found == SIZE_MAX)
            break;
        if (!add_piece(split, position, position + found))
            return false;
        position += found + separator->size;
    }
    return add_piece(split, position, text->size);
}

static size_t word_start(const struct value *text, size_t end)
{
    size_t length;
    while (end > 0 && !text_is(text_decode_before(text->bytes, end, &length), CLASS_SPACE))
        end -= length;
    return end;
}

static bool split_words_last(struct split *split)
{
    const struct value *text = split->text;
    size_t end = text->size;
    for (;; split->left--) {
        end -= text_space_before(text->bytes, end);
        if (end == 0)
            return true;
        if (split->left == 0)
            break;
        size_t start = word_start(text, end);
        if (!add_piece(split, start, end))
            return false;
        end = start;
    }
    return add_piece(split, 0, end);
}

static bool split_at_last(struct split *split)
{
    const struct value *text = split->text, *separator = split->separator;
    size_t end = text->size;
    for (; split->left != 0; split->left--) {
        size_t found = text_find_last(text->bytes, end, separator->bytes, separator->size);
        if (found == SIZE_MAX)
            break;
        if (!add_piece(split, found + separator->size, end))
            return false;
        end = found;
    }
    return add_piece(split, 0, end);
}

static void reverse(struct gather *pieces)
{
    for (size_t i = 0; i < pieces->count / 2; i++) {
        struct value first = pieces->items[i];
        pieces->items[i] = pieces->items[pieces->count - 1 - i];
        pieces->items[pieces->count - 1 - i] = first;
    }
}

static bool read_arguments(struct run *run, const struct call *call, struct split *split)
{
    const struct value *separator = &call->values[0], *limit = &call->values[1];
    split->separator = NULL;
    split->left = -1;
    if (separator->kind != VALUE_ABSENT && separator->kind != VALUE_NONE) {
        if (separator->kind != VALUE_STRING)
            return run_fail(run, "must be str or None, not %s", value_type(separator));
        if (separator->size == 0)
            return run_fail(run, "empty separator");
        split->separator = separator;
    }
    if (limit->kind == VALUE_ABSENT)
        return true;
    if (!value_is_integer(limit))
        return run_fail(run, "'%s' object cannot be interpreted as an integer", value_type(limit));
    split->left = value_integer(limit);
    return true;
}

bool string_split(struct run *run, const struct value *subject, const struct call *call,
                  struct value *out)
{
    struct split split = {.text = subject, .pieces = {.run = run}};
    return read_arguments(run, call, &split) && run_spend(run, subject->size) &&
           (split.separator ? split_at(&split) : split_words(&split)) &&
           gather_value(&split.pieces, VALUE_LIST, out);
}

bool string_rsplit(struct run *run, const struct value *subject, const struct call *call,
                   struct value *out)
{
    struct split split = {.text = subject, .pieces = {.run = run}};
    if (!read_arguments(run, call, &split) || !run_spend(run, subject->size) ||
        !(split.separator ? split_at_last(&split) : split_words_last(&split)))
        return false;
    reverse(&split.pieces);
    return gather_value(&split.pieces, VALUE_LIST, out);
}

static bool is_line_end(int32_t character)
{
    return (character >= 0x0A && character <= 0x0D) || (character >= 0x1C && character <= 0x1E) ||
           character == 0x85 || character == 0x2028 || character == 0x2029;
}

bool string_lines(struct run *run, const struct value *text, bool keep_ends, struct value *out)
{
    struct split split = {.text = text, .pieces = {.run = run}};
    size_t start = 0, position = 0, length;
    if (!run_spend(run, text->size))
        return false;
    while (position < text->size) {
        int32_t character = text_decode(text->bytes + position, text->size - position, &length);
        size_t end = position;
        position += length;
        if (!is_line_end(character))
            continue;
        if (character == '\r' && position < text->size && text->bytes[position] == '\n')
            position++;
        if (!add_piece(&split, start, keep_ends ? position : end))
            return false;
        start = position;
    }
    if (start < text->size && !add_piece(&split, start, text->size))
        return false;
    return gather_value(&split.pieces, VALUE_LIST, out);
}

bool string_splitlines(struct run *run, const struct value *subject, const struct call *call,
                       struct value *out)
{
    const struct value *keep = &call->values[0];
    return string_lines(run, subject, keep->kind != VALUE_ABSENT && value_truth(keep), out);
}

static bool partition(struct run *run, const struct value *subject, const struct call *call,
                      bool last, struct value *out)
{
    const struct value *separator = &call->values[0];
    struct split split = {.text = subject, .pieces = {.run = run}};
    if (separator->kind != VALUE_STRING)
        return run_fail(run, "must be str, not %s", value_type(separator));
    if (separator->size == 0)
        return run_fail(run, "empty separator");
    size_t size = subject->size, end = size;
    size_t found = last ? text_find_last(subject->bytes, size, separator->bytes, separator->size)
                        : text_find(subject->bytes, size, separator->bytes, separator->size);
    if (found == SIZE_MAX)
        found = end = last ? 0 : size;
    else
        end = found + separator->size;
    return run_spend(run, size) && add_piece(&split, 0, found) && add_piece(&split, found, end) &&
           add_piece(&split, end, size) && gather_value(&split.pieces, VALUE_TUPLE, out);
}

bool string_partition(struct run *run, const struct value *subject, const struct call *call,
                      struct value *out)
{
    return partition(run, subject, call, false, out);
}

bool string_rpartition(struct run *run, const struct value *subject, const struct call *call,
                       struct value *out)
{
    return partition(run, subject, call, true, out);
}
