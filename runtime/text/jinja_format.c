/* jinja_format.c: 'text' % values and 'text'.format(values), without what chat templates have no
 * use for: of %, the conversions s r d i u x X o c f F e E g G and %%, with flags, width and
 * precision; of format, {} {0} {name} without a conversion or format. */
#include "jinja_number.h"
#include "jinja_run.h"
#include "jinja_string_method.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

struct directive {
    bool left, zero, plus, space, alternate;
    int64_t width;
    int64_t precision; /* -1: none */
    char conversion;
};

struct format {
    struct run *run;
    const struct value *text;
    size_t position;
    const struct value *argument;
    size_t used; /* items of a tuple */
    struct builder out;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char peek(const struct format *format)
{
    return format->position < format->text->size ? format->text->bytes[format->position] : 0;
}

static bool read_flag(struct directive *directive, char flag)
{
    switch (flag) {
    case '-':
        return directive->left = true;
    case '0':
        return directive->zero = true;
    case '+':
        return directive->plus = true;
    case ' ':
        return directive->space = true;
    case '#':
        return directive->alternate = true;
    default:
        return false;
    }
}

static int64_t read_number(struct format *format)
{
    int64_t number = 0;
    for (; is_digit(peek(format)); format->position++)
        if (number < 100000000)
            number = number * 10 + (peek(format) - '0');
    return number;
}

static bool read_directive(struct format *format, struct directive *out)
{
    *out = (struct directive){.precision = -1};
    while (read_flag(out, peek(format)))
        format->position++;
    out->width = read_number(format);
    if (peek(format) == '.') {
        format->position++;
        out->precision = read_number(format);
    }
    out->conversion = peek(format);
    if (!out->conversion)
        return run_fail(format->run, "incomplete format");
    if (!strchr("srdiuxXocfFeEgG%", out->conversion) || out->alternate)
        return run_refuse(format->run, "format %%%s%c", out->alternate ? "#" : "",
                          out->conversion >= ' ' && out->conversion < 127 ? out->conversion : '?');
    format->position++;
    return true;
}

static bool next_argument(struct format *format, const struct value **out)
{
    const struct value *argument = format->argument;
    bool tuple = argument->kind == VALUE_TUPLE;
    size_t count = tuple ? argument->list->count : 1;
    if (format->used == count)
        return run_fail(format->run, "not enough arguments for format string");
    *out = tuple ? &argument->list->items[format->used] : argument;
    format->used++;
    return true;
}

static bool named_argument(struct format *format, const struct value **out)
{
    const char *start = format->text->bytes + format->position + 1;
    size_t left = format->text->size - format->position - 1;
    const char *end = memchr(start, ')', left);
    if (!end)
        return run_fail(format->run, "incomplete format key");
    if (format->argument->kind != VALUE_DICT)
        return run_fail(format->run, "format requires a mapping");
    struct value key = value_bytes(start, (size_t)(end - start));
    *out = dict_find(format->run, format->argument->dict, &key);
    format->position += key.size + 2;
    format->used = 1;
    return *out || run_fail(format->run, "no key '%.*s' to format", (int)key.size, key.bytes);
}

/* Text with sign, digits and width put together. */
static bool add_number(struct format *format, const struct directive *directive, bool negative,
                       const char *digits, bool zero)
{
    struct value text, fill = value_text("0");
    const char *sign = negative ? "-" : directive->plus ? "+" : directive->space ? " " : "";
    struct value sign_text = value_text(sign), number = value_text(digits);
    int64_t width = directive->width - (int64_t)sign_text.size;
    if (zero && !directive->left &&
        !string_pad(format->run, &number, width, &fill, SIDE_RIGHT, &number))
        return false;
    fill = value_text(" ");
    return value_join(format->run, &sign_text, &number, &text) &&
           string_pad(format->run, &text, directive->width, &fill,
                      directive->left ? SIDE_LEFT : SIDE_RIGHT, &text) &&
           builder_add(&format->out, text.bytes, text.size);
}

static bool add_integer(struct format *format, const struct directive *directive,
                        const struct value *value)
{
    char digits[512];
    int precision = directive->precision < 0 ? 1 : (int)directive->precision;
    bool decimal = strchr("diu", directive->conversion) != NULL;
    if (value->kind == VALUE_UNDEFINED || !value_is_number(value) ||
        (value->kind == VALUE_FLOAT && (!decimal || !(fabs(value->real) < 9e18))))
        return run_fail(format->run, "%%%c format: a number is required, not %s",
                        directive->conversion, value_type(value));
    int64_t integer = value->kind == VALUE_FLOAT ? (int64_t)value->real : value_integer(value);
    uint64_t magnitude = integer < 0 ? 0 - (uint64_t)integer : (uint64_t)integer;
    if (precision > 400)
        return run_refuse(format->run, "a precision beyond 400");
    if (decimal)
        snprintf(digits, sizeof digits, "%.*" PRIu64, precision, magnitude);
    else if (directive->conversion == 'x')
        snprintf(digits, sizeof digits, "%.*" PRIx64, precision, magnitude);
    else if (directive->conversion == 'X')
        snprintf(digits, sizeof digits, "%.*" PRIX64, precision, magnitude);
    else
        snprintf(digits, sizeof digits, "%.*" PRIo64, precision, magnitude);
    return add_number(format, directive, integer < 0, digits, directive->zero);
}

static bool add_real(struct format *format, const struct directive *directive,
                     const struct value *value)
{
    char digits[800];
    int64_t precision = directive->precision < 0 ? 6 : directive->precision;
    if (value->kind == VALUE_UNDEFINED || !value_is_number(value))
        return run_fail(format->run, "must be real number, not %s", value_type(value));
    if (precision > 400)
        return run_refuse(format->run, "a precision beyond 400");
    double real = value_real(value);
    if (number_print(fabs(real), (int)precision, directive->conversion, digits, sizeof digits) == 0)
        return run_refuse(format->run, "a number of this size");
    return add_number(format, directive, signbit(real) != 0, digits,
                      directive->zero && isfinite(real));
}

static bool add_text(struct format *format, const struct directive *directive,
                     const struct value *value)
{
    struct run *run = format->run;
    struct builder repr = {.run = run};
    struct value text, fill = value_text(" ");
    struct value parts[3] = {value_none(), value_int(directive->precision), value_none()};
    if (directive->conversion == 'r') {
        if (!value_repr(run, value, &repr))
            return false;
        text = builder_value(&repr);
    } else if (!(format->text->markup ? value_escape(run, value, &text)
                                      : value_string(run, value, &text)))
        return false;
    if (directive->precision >= 0 && !value_slice(run, &text, parts, &text))
        return false;
    return string_pad(run, &text, directive->width, &fill, directive->left ? SIDE_LEFT : SIDE_RIGHT,
                      &text) &&
           builder_add(&format->out, text.bytes, text.size);
}

static bool add_directive(struct format *format)
{
    struct directive directive;
    const struct value *value = NULL;
    if (peek(format) == '(' && !named_argument(format, &value))
        return false;
    if (!read_directive(format, &directive))
        return false;
    if (directive.conversion == '%')
        return builder_character(&format->out, '%');
    if (!value && !next_argument(format, &value))
        return false;
    if (strchr("sr", directive.conversion))
        return add_text(format, &directive, value);
    if (directive.conversion == 'c')
        return run_refuse(format->run, "format %%c");
    if (strchr("diuxXo", directive.conversion))
        return add_integer(format, &directive, value);
    return add_real(format, &directive, value);
}

/* What Python takes for a mapping need not be used. */
static bool is_left_over(const struct format *format)
{
    switch (format->argument->kind) {
    case VALUE_TUPLE:
        return format->used < format->argument->list->count;
    case VALUE_UNDEFINED:
    case VALUE_LIST:
    case VALUE_DICT:
    case VALUE_RANGE:
        return false;
    default:
        return format->used == 0;
    }
}

bool value_format(struct run *run, const struct value *text, const struct value *argument,
                  struct value *out)
{
    struct format format = {run, text, 0, argument, 0, {.run = run}};
    while (format.position < text->size) {
        char c = text->bytes[format.position++];
        if (!(c == '%' ? add_directive(&format) : builder_character(&format.out, c)))
            return false;
    }
    if (is_left_over(&format))
        return run_fail(run, "not all arguments converted during string formatting");
    *out = builder_value(&format.out);
    out->markup = text->markup;
    return run_spend(run, text->size);
}

/* The field of {...} at position; *automatic counts the {}. */
static bool format_field(struct format *format, const struct call *call, size_t *automatic)
{
    const char *start = format->text->bytes + format->position;
    const char *end = memchr(start, '}', format->text->size - format->position);
    if (!end)
        return run_fail(format->run, "expected '}' before end of string");
    struct value field = value_bytes(start, (size_t)(end - start));
    const struct value *value = NULL;
    int64_t index;
    format->position += field.size + 1;
    if (field.size == 0 || number_parse_integer(field.bytes, field.size, 10, &index)) {
        size_t which = field.size ? (size_t)index : (*automatic)++;
        value = which < call->count ? &call->values[which] : NULL;
    } else if (strcspn(field.bytes, "!:.[{") < field.size)
        return run_refuse(format->run, "format field '{%.*s}'", (int)field.size, field.bytes);
    for (size_t i = 0; i < call->keyword_count && !value; i++) {
        const struct value *name = &call->keywords[i].name;
        if (name->size == field.size && memcmp(name->bytes, field.bytes, field.size) == 0)
            value = &call->keywords[i].value;
    }
    if (!value)
        return run_fail(format->run, "no argument for format field '{%.*s}'", (int)field.size,
                        field.bytes);
    return value_write(&format->out, value);
}

bool format_method(struct run *run, const struct value *subject, const struct call *call,
                   struct value *out)
{
    struct format format = {run, subject, 0, NULL, 0, {.run = run}};
    size_t automatic = 0;
    if (subject->markup)
        return run_refuse(run, "format of a safe string");
    while (format.position < subject->size) {
        char c = subject->bytes[format.position++];
        bool twice = peek(&format) == c && (c == '{' || c == '}');
        format.position += twice;
        if (c == '}' && !twice)
            return run_fail(run, "Single '}' encountered in format string");
        if (!(c == '{' && !twice ? format_field(&format, call, &automatic)
                                 : builder_character(&format.out, c)))
            return false;
    }
    *out = builder_value(&format.out);
    return run_spend(run, subject->size);
}
