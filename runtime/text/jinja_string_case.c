/* jinja_string_case.c: upper, lower, title, is..., and padding to a width. */
#include "jinja_string_method.h"
#include "jinja_text.h"

#include <string.h>

enum { SIGMA = 0x3A3 }; /* its lower case depends on what stands beside it */

static bool is_cased(int32_t character)
{
    char upper[12], lower[12];
    size_t size = text_case(character, CASE_UPPER, upper);
    return size != text_case(character, CASE_LOWER, lower) || memcmp(upper, lower, size) != 0 ||
           text_is(character, CLASS_LOWER) || text_is(character, CLASS_UPPER);
}

static bool letter_at(const struct value *text, size_t position)
{
    size_t length;
    return position < text->size &&
           is_cased(text_decode(text->bytes + position, text->size - position, &length));
}

static bool add_cased(struct builder *out, int32_t character, enum text_case to, bool final_sigma)
{
    char text[12];
    if (character == SIGMA && to == CASE_LOWER && final_sigma)
        return builder_add(out, "\xCF\x82", 2);
    size_t size = text_case(character, to, text);
    return builder_add(out, text, size);
}

enum casing { ALL_UPPER, ALL_LOWER, FIRST_TITLE, WORD_TITLE, SWAP };

static enum text_case case_for(enum casing casing, int32_t character, bool first, bool in_word)
{
    switch (casing) {
    case ALL_UPPER:
        return CASE_UPPER;
    case FIRST_TITLE:
        return first ? CASE_TITLE : CASE_LOWER;
    case WORD_TITLE:
        return in_word ? CASE_LOWER : CASE_TITLE;
    case SWAP:
        return text_is(character, CLASS_UPPER) ? CASE_LOWER : CASE_UPPER;
    default:
        return CASE_LOWER;
    }
}

static bool change_case(struct run *run, const struct value *subject, enum casing casing,
                        struct value *out)
{
    struct builder text = {.run = run};
    size_t position = 0, length;
    bool in_word = false;
    if (!run_spend(run, subject->size))
        return false;
    while (position < subject->size) {
        int32_t character =
            text_decode(subject->bytes + position, subject->size - position, &length);
        enum text_case to = case_for(casing, character, position == 0, in_word);
        bool final_sigma = in_word && !letter_at(subject, position + length);
        if (!add_cased(&text, character, to, final_sigma))
            return false;
        in_word = is_cased(character);
        position += length;
    }
    *out = builder_value(&text);
    out->markup = subject->markup;
    return true;
}

bool string_upper(struct run *run, const struct value *subject, const struct call *call,
                  struct value *out)
{
    (void)call;
    return change_case(run, subject, ALL_UPPER, out);
}

bool string_lower(struct run *run, const struct value *subject, const struct call *call,
                  struct value *out)
{
    (void)call;
    return change_case(run, subject, ALL_LOWER, out);
}

bool string_title(struct run *run, const struct value *subject, const struct call *call,
                  struct value *out)
{
    (void)call;
    return change_case(run, subject, WORD_TITLE, out);
}

bool string_capitalize(struct run *run, const struct value *subject, const struct call *call,
                       struct value *out)
{
    (void)call;
    return change_case(run, subject, FIRST_TITLE, out);
}

bool string_swapcase(struct run *run, const struct value *subject, const struct call *call,
                     struct value *out)
{
    (void)call;
    return change_case(run, subject, SWAP, out);
}

/* Whether the text is not empty and each character is of one of two classes. */
static bool all_of(struct run *run, const struct value *subject, enum text_class first,
                   enum text_class second, struct value *out)
{
    size_t position = 0, length;
    bool all = subject->size > 0;
    while (all && position < subject->size) {
        int32_t character =
            text_decode(subject->bytes + position, subject->size - position, &length);
        all = text_is(character, first) || text_is(character, second);
        position += length;
    }
    *out = value_bool(all);
    return run_spend(run, subject->size);
}

bool string_isalpha(struct run *run, const struct value *subject, const struct call *call,
                    struct value *out)
{
    (void)call;
    return all_of(run, subject, CLASS_ALPHA, CLASS_ALPHA, out);
}

bool string_isalnum(struct run *run, const struct value *subject, const struct call *call,
                    struct value *out)
{
    (void)call;
    return all_of(run, subject, CLASS_ALPHA, CLASS_NUMERIC, out);
}

bool string_isdigit(struct run *run, const struct value *subject, const struct call *call,
                    struct value *out)
{
    (void)call;
    return all_of(run, subject, CLASS_DIGIT, CLASS_DIGIT, out);
}

bool string_isdecimal(struct run *run, const struct value *subject, const struct call *call,
                      struct value *out)
{
    return string_isdigit(run, subject, call, out);
}

bool string_isnumeric(struct run *run, const struct value *subject, const struct call *call,
                      struct value *out)
{
    (void)call;
    return all_of(run, subject, CLASS_NUMERIC, CLASS_NUMERIC, out);
}

bool string_isspace(struct run *run, const struct value *subject, const struct call *call,
                    struct value *out)
{
    (void)call;
    return all_of(run, subject, CLASS_SPACE, CLASS_SPACE, out);
}

static bool is_in_case(struct run *run, const struct value *subject, enum text_class wanted,
                       enum text_class other, struct value *out)
{
    size_t position = 0, length;
    bool found = false, wrong = false;
    while (!wrong && position < subject->size) {
        int32_t character =
            text_decode(subject->bytes + position, subject->size - position, &length);
        found |= text_is(character, wanted);
        wrong = text_is(character, other);
        position += length;
    }
    *out = value_bool(found && !wrong);
    return run_spend(run, subject->size);
}

bool string_isupper(struct run *run, const struct value *subject, const struct call *call,
                    struct value *out)
{
    (void)call;
    return is_in_case(run, subject, CLASS_UPPER, CLASS_LOWER, out);
}

bool string_islower(struct run *run, const struct value *subject, const struct call *call,
                    struct value *out)
{
    (void)call;
    return is_in_case(run, subject, CLASS_LOWER, CLASS_UPPER, out);
}

/* Padding */

bool string_pad(struct run *run, const struct value *text, int64_t width, const struct value *fill,
                enum side side, struct value *out)
{
    struct builder padded = {.run = run};
    int64_t length = (int64_t)text_count(text->bytes, text->size);
    int64_t room = width > length ? width - length : 0;
    int64_t before = side == SIDE_RIGHT ? room : side == SIDE_LEFT ? 0 : room / 2;
    struct value left, right;
    if (side == SIDE_CENTER && (room & width & 1))
        before++;
    if (!run_spend(run, text->size) || !value_repeat(run, fill, before, &left) ||
        !value_repeat(run, fill, room - before, &right) ||
        !builder_add(&padded, left.bytes, left.size) ||
        !builder_add(&padded, text->bytes, text->size) ||
        !builder_add(&padded, right.bytes, right.size))
        return false;
    *out = builder_value(&padded);
    out->markup = text->markup;
    return true;
}

static bool pad_method(struct run *run, const struct value *subject, const struct call *call,
                       enum side side, struct value *out)
{
    const struct value *width = &call->values[0];
    struct value fill = call->values[1].kind == VALUE_ABSENT ? value_text(" ") : call->values[1];
    if (!value_is_integer(width))
        return run_fail(run, "'%s' object cannot be interpreted as an integer", value_type(width));
    if (fill.kind != VALUE_STRING || text_count(fill.bytes, fill.size) != 1)
        return run_fail(run, "The fill character must be exactly one character long");
    return string_pad(run, subject, value_integer(width), &fill, side, out);
}

bool string_ljust(struct run *run, const struct value *subject, const struct call *call,
                  struct value *out)
{
    return pad_method(run, subject, call, SIDE_LEFT, out);
}

bool string_rjust(struct run *run, const struct value *subject, const struct call *call,
                  struct value *out)
{
    return pad_method(run, subject, call, SIDE_RIGHT, out);
}

bool string_center(struct run *run, const struct value *subject, const struct call *call,
                   struct value *out)
{
    return pad_method(run, subject, call, SIDE_CENTER, out);
}

bool string_zfill(struct run *run, const struct value *subject, const struct call *call,
                  struct value *out)
{
    struct value zero = value_text("0"), digits = *subject, sign;
    const struct value *width = &call->values[0];
    bool is_signed = subject->size > 0 && (*subject->bytes == '-' || *subject->bytes == '+');
    if (!value_is_integer(width))
        return run_fail(run, "'%s' object cannot be interpreted as an integer", value_type(width));
    digits.bytes += is_signed;
    digits.size -= is_signed;
    sign = value_bytes(subject->bytes, is_signed);
    return string_pad(run, &digits, value_integer(width) - is_signed, &zero, SIDE_RIGHT, out) &&
           value_join(run, &sign, out, out);
}
