/* jinja_word.c: lexemes inside of {{ }} and {% %}: names, strings, numbers, operators. */
#include "jinja_node.h"
#include "jinja_number.h"
#include "jinja_text.h"

#include <string.h>

static const struct {
    const char *text;
    enum lexeme_kind kind;
} operators[] = {
    /* longer ones first */
    {"//", LEXEME_FLOOR_DIVIDE}, {"**", LEXEME_POWER},         {"==", LEXEME_EQUAL},
    {"!=", LEXEME_NOT_EQUAL},    {">=", LEXEME_GREATER_EQUAL}, {"<=", LEXEME_LESS_EQUAL},
    {"+", LEXEME_ADD},           {"-", LEXEME_SUBTRACT},       {"/", LEXEME_DIVIDE},
    {"*", LEXEME_MULTIPLY},      {"%", LEXEME_MODULO},         {"~", LEXEME_TILDE},
    {"[", LEXEME_BRACKET_OPEN},  {"]", LEXEME_BRACKET_CLOSE},  {"(", LEXEME_PAREN_OPEN},
    {")", LEXEME_PAREN_CLOSE},   {"{", LEXEME_BRACE_OPEN},     {"}", LEXEME_BRACE_CLOSE},
    {">", LEXEME_GREATER},       {"<", LEXEME_LESS},           {"=", LEXEME_ASSIGN},
    {".", LEXEME_DOT},           {":", LEXEME_COLON},          {"|", LEXEME_PIPE},
    {",", LEXEME_COMMA},         {";", LEXEME_SEMICOLON},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool balance(struct lexer *lexer, char bracket)
{
    static const char opening[] = "([{", closing[] = ")]}";
    const char *found = strchr(opening, bracket);
    if (found) {
        if (lexer->open_count == sizeof lexer->open)
            return lexer_fail(lexer, lexer->position, "more than %d brackets in one another",
                              PARSE_NESTING);
        lexer->open[lexer->open_count++] = closing[found - opening];
        return true;
    }
    if (!strchr(closing, bracket))
        return true;
    if (lexer->open_count == 0 || lexer->open[--lexer->open_count] != bracket)
        return lexer_fail(lexer, lexer->position, "unexpected '%c'", bracket);
    return true;
}

static bool lex_operator(struct lexer *lexer, struct lexeme *out)
{
    const char *text = lexer->source + lexer->position;
    size_t left = lexer->size - lexer->position;
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        size_t size = strlen(operators[i].text);
        if (left < size || memcmp(text, operators[i].text, size) != 0)
            continue;
        if (size == 1 && !balance(lexer, *text))
            return false;
        out->kind = operators[i].kind;
        lexer->position += size;
        return true;
    }
    return lexer_fail(lexer, lexer->position, "unexpected character '%.*s'",
                      (int)text_offset(text, left, 1), text);
}

/* Digits with single underscores between them, from position. */
static size_t skip_digits(const struct lexer *lexer, size_t position)
{
    while (position < lexer->size &&
           (is_digit(lexer->source[position]) ||
            (lexer->source[position] == '_' && position + 1 < lexer->size &&
             is_digit(lexer->source[position + 1]))))
        position++;
    return position;
}

/* Behind ".5", ".5e-3" or "e10" at position; position itself when the number is whole. */
static size_t skip_fraction(const struct lexer *lexer, size_t position)
{
    const char *source = lexer->source;
    size_t end = position;
    if (end + 1 < lexer->size && source[end] == '.' && is_digit(source[end + 1]))
        end = skip_digits(lexer, end + 1);
    size_t exponent = end;
    if (exponent < lexer->size && (source[exponent] | 0x20) == 'e') {
        exponent++;
        if (exponent < lexer->size && (source[exponent] == '+' || source[exponent] == '-'))
            exponent++;
        if (exponent < lexer->size && is_digit(source[exponent]))
            end = skip_digits(lexer, exponent);
    }
    return end;
}

static size_t copy_digits(const char *bytes, size_t size, char *out, size_t room)
{
    size_t used = 0;
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != '_' && used + 1 < room)
            out[used++] = bytes[i];
    out[used] = 0;
    return used;
}

bool lexer_number(struct lexer *lexer, struct lexeme *out)
{
    char digits[64];
    size_t start = lexer->position;
    size_t end = skip_digits(lexer, start);
    bool member = start > 0 && lexer->source[start - 1] == '.';
    size_t fraction = member ? end : skip_fraction(lexer, end);
    if (fraction - start >= sizeof digits)
        return lexer_fail(lexer, start, "number of more than 63 digits");
    size_t size = copy_digits(lexer->source + start, fraction - start, digits, sizeof digits);
    lexer->position = fraction;
    if (fraction > end) {
        out->kind = LEXEME_FLOAT;
        out->value = value_float(number_parse(digits));
        return true;
    }
    int64_t integer;
    if (digits[0] == '0' && size > 1)
        return lexer_fail(lexer, start, "integer with a leading zero");
    if (fraction < lexer->size && is_name_start(lexer->source[fraction]))
        return lexer_fail(lexer, start, "number that runs into a name");
    if (!number_parse_integer(digits, size, 10, &integer))
        return lexer_fail(lexer, start, "integer beyond 64 bits");
    out->kind = LEXEME_INTEGER;
    out->value = value_int(integer);
    return true;
}

/* The escape behind a backslash at *position; moves it behind. -1: not an escape. */
static int32_t unescape(const char *text, size_t size, size_t *position)
{
    static const char plain[] = "\\'\"abfnrtv", means[] = "\\'\"\a\b\f\n\r\t\v";
    char kind = text[*position];
    const char *found = kind ? strchr(plain, kind) : NULL;
    if (found) {
        ++*position;
        return means[found - plain];
    }
    size_t digits = kind == 'x' ? 2 : kind == 'u' ? 4 : kind == 'U' ? 8 : 3;
    int base = digits == 3 ? 8 : 16;
    size_t start = *position + (base == 16), end = start;
    int64_t character;
    while (end < size && end - start < digits &&
           number_parse_integer(text + end, 1, base, &character))
        end++;
    if (end == start || (base == 16 && end - start < digits))
        return -1;
    number_parse_integer(text + start, end - start, base, &character);
    *position = end;
    return character < 0x110000 && (character < 0xD800 || character > 0xDFFF) ? (int32_t)character
                                                                              : -2;
}

/* Decodes text (no quotes) into room for size bytes (an escape is never shorter than what it
 * stands for). */
static bool decode_string(struct lexer *lexer, const char *text, size_t size, char *room,
                          size_t *used)
{
    size_t position = 0;
    while (position < size) {
        if (text[position] != '\\') {
            room[(*used)++] = text[position++];
            continue;
        }
        position++;
        if (position < size && text[position] == '\n') {
            position++;
            continue;
        }
        char kind = text[position];
        int32_t character = unescape(text, size, &position);
        if (character == -2 || (character == -1 && kind && strchr("xuUN", kind)) ||
            (unsigned char)kind >= 0x80)
            return lexer_fail(lexer, (size_t)(text - lexer->source) + position,
                              "escape that names no character");
        if (character == -1)
            room[(*used)++] = '\\';
        else
            *used += text_encode(character, room + *used);
    }
    return true;
}

bool lexer_string(struct lexer *lexer, struct value *out)
{
    char quote = lexer->source[lexer->position];
    size_t start = lexer->position + 1, end = start, used = 0;
    bool escapes = false;
    while (end < lexer->size && lexer->source[end] != quote) {
        escapes |= lexer->source[end] == '\\';
        end += lexer->source[end] == '\\' ? 2 : 1;
    }
    if (end >= lexer->size)
        return lexer_fail(lexer, lexer->position, "string without an end");
    lexer->position = end + 1;
    *out = value_bytes(lexer->source + start, end - start);
    if (!escapes)
        return true;
    char *room = arena_alloc(lexer->arena, end - start + 4, 1);
    if (!room)
        return lexer_fail(lexer, start, "needs more than %d MiB", PARSE_MEMORY >> 20);
    bool done = decode_string(lexer, lexer->source + start, end - start, room, &used);
    *out = value_bytes(room, used);
    return done;
}

bool lexer_word(struct lexer *lexer, struct lexeme *out)
{
    char first = lexer->source[lexer->position];
    out->offset = (uint32_t)lexer->position;
    if (first == '\'' || first == '"') {
        out->kind = LEXEME_STRING;
        return lexer_string(lexer, &out->value);
    }
    if (is_digit(first))
        return lexer_number(lexer, out);
    if (!is_name_start(first))
        return lex_operator(lexer, out);
    size_t end = lexer->position;
    while (end < lexer->size && (is_name_start(lexer->source[end]) || is_digit(lexer->source[end])))
        end++;
    out->kind = LEXEME_NAME;
    out->value = value_bytes(lexer->source + lexer->position, end - lexer->position);
    lexer->position = end;
    return true;
}
