/* jinja_lex.c: template source to lexemes, with the white space rules of jinja2's lexer.py under
 * trim_blocks (the newline behind a block or comment goes) and lstrip_blocks (the indentation
 * before one goes). */
#include "jinja_node.h"
#include "jinja_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void source_place(const char *source, size_t size, uint32_t offset, unsigned *line,
                  unsigned *column)
{
    size_t start = 0;
    *line = 1;
    for (size_t i = 0; i < offset && i < size; i++)
        if (source[i] == '\n') {
            ++*line;
            start = i + 1;
        }
    *column = (unsigned)text_count(source + start, offset - start) + 1;
}

bool lexer_fail(struct lexer *lexer, size_t offset, const char *format, ...)
{
    char text[512];
    unsigned line, column;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    source_place(lexer->source, lexer->size, (uint32_t)offset, &line, &column);
    return fault_set(lexer->fault, FAULT_FORMAT, "chat template, line %u, column %u: %s", line,
                     column, text);
}

static bool at(const struct lexer *lexer, size_t position, const char *text)
{
    size_t size = strlen(text);
    return lexer->size - position >= size && memcmp(lexer->source + position, text, size) == 0;
}

static size_t skip_space(const struct lexer *lexer, size_t position)
{
    return position + text_space(lexer->source + position, lexer->size - position);
}

/* Where "-END" with the space behind it, "+END" or "END" (and, where blocks are trimmed, one
 * newline) at position ends; 0 when none is there. */
static size_t end_tag(const struct lexer *lexer, size_t position, const char *tag, bool block)
{
    bool minus = at(lexer, position, "-");
    bool plus = block && at(lexer, position, "+");
    size_t behind = position + (minus || plus);
    if (!at(lexer, behind, tag))
        return 0;
    behind += 2;
    if (minus)
        return skip_space(lexer, behind);
    if (block && !plus && at(lexer, behind, "\n"))
        behind++;
    return behind;
}

/* What remains of the text [start, end) before a tag with this sign. */
static size_t strip_before(const struct lexer *lexer, size_t start, size_t end, char sign,
                           bool block)
{
    const char *text = lexer->source + start;
    size_t size = end - start;
    if (sign == '-')
        return size - text_space_before(text, size);
    if (sign == '+' || !block)
        return size;
    size_t line = size;
    while (line > 0 && text[line - 1] != '\n')
        line--;
    if (line == 0 && start > 0 && lexer->source[start - 1] != '\n')
        return size;
    return text_space(text + line, size - line) == size - line ? line : size;
}

static char sign_at(const struct lexer *lexer, size_t position)
{
    return at(lexer, position, "-") ? '-' : at(lexer, position, "+") ? '+' : 0;
}

static void set_data(const struct lexer *lexer, size_t start, size_t size, struct lexeme *out)
{
    out->kind = LEXEME_DATA;
    out->offset = (uint32_t)start;
    out->value = value_bytes(lexer->source + start, size);
}

/* Behind "{% raw %}" when that is at position (a tag's start), else 0. */
static size_t raw_begin(const struct lexer *lexer, size_t position)
{
    size_t word = position + 2 + (sign_at(lexer, position + 2) != 0);
    word = skip_space(lexer, word);
    if (!at(lexer, word, "raw"))
        return 0;
    size_t end = skip_space(lexer, word + 3);
    if (at(lexer, end, "-%}"))
        return skip_space(lexer, end + 3);
    return at(lexer, end, "%}") ? end + 2 : 0;
}

static bool lex_raw(struct lexer *lexer, size_t begin, struct lexeme *out)
{
    size_t start = lexer->position;
    for (size_t i = start; i + 2 <= lexer->size; i++) {
        if (!at(lexer, i, "{%"))
            continue;
        char sign = sign_at(lexer, i + 2);
        size_t word = skip_space(lexer, i + 2 + (sign != 0));
        size_t end = at(lexer, word, "endraw") ? skip_space(lexer, word + 6) : 0;
        end = end ? end_tag(lexer, end, "%}", true) : 0;
        if (!end)
            continue;
        set_data(lexer, start, strip_before(lexer, start, i, sign, true), out);
        lexer->position = end;
        return true;
    }
    return lexer_fail(lexer, begin, "{%% raw %%} without {%% endraw %%}");
}

static bool skip_comment(struct lexer *lexer, size_t begin)
{
    for (size_t i = begin + 2 + (sign_at(lexer, begin + 2) != 0); i + 2 <= lexer->size; i++) {
        size_t end = end_tag(lexer, i, "#}", true);
        if (end) {
            lexer->position = end;
            return true;
        }
    }
    return lexer_fail(lexer, begin, "comment {# without #}");
}

static size_t find_tag(const struct lexer *lexer)
{
    size_t i = lexer->position;
    for (; i + 2 <= lexer->size; i++)
        if (lexer->source[i] == '{' && strchr("{%#", lexer->source[i + 1]) && lexer->source[i + 1])
            return i;
    return lexer->size;
}

static void begin_tag(struct lexer *lexer, size_t tag)
{
    lexer->mode = lexer->source[tag + 1] == '{' ? LEXER_VARIABLE : LEXER_BLOCK;
    lexer->position = tag + 2 + (sign_at(lexer, tag + 2) != 0);
    lexer->open_count = 0;
}

static void emit_tag(const struct lexer *lexer, size_t tag, struct lexeme *out)
{
    out->kind = lexer->mode == LEXER_VARIABLE ? LEXEME_VARIABLE_BEGIN : LEXEME_BLOCK_BEGIN;
    out->offset = (uint32_t)tag;
}

/* Text up to the next tag. The tag itself is lexed by the next call, which finds no text. */
static bool lex_data(struct lexer *lexer, struct lexeme *out)
{
    size_t start = lexer->position;
    size_t tag = find_tag(lexer);
    if (tag == lexer->size) {
        lexer->position = tag;
        set_data(lexer, start, tag - start, out);
        if (tag == start)
            out->kind = LEXEME_END;
        return true;
    }
    char sign = sign_at(lexer, tag + 2);
    size_t size = strip_before(lexer, start, tag, sign, lexer->source[tag + 1] != '{');
    if (size > 0) {
        set_data(lexer, start, size, out);
        lexer->position = tag;
        return true;
    }
    size_t raw = lexer->source[tag + 1] == '%' ? raw_begin(lexer, tag) : 0;
    if (raw) {
        lexer->position = raw;
        return lex_raw(lexer, tag, out);
    }
    if (lexer->source[tag + 1] == '#') {
        set_data(lexer, tag, 0, out);
        return skip_comment(lexer, tag);
    }
    begin_tag(lexer, tag);
    emit_tag(lexer, tag, out);
    return true;
}

static bool lex_tag_end(struct lexer *lexer, struct lexeme *out)
{
    bool block = lexer->mode == LEXER_BLOCK;
    if (lexer->open_count > 0)
        return false;
    size_t end = end_tag(lexer, lexer->position, block ? "%}" : "}}", block);
    if (!end)
        return false;
    out->kind = block ? LEXEME_BLOCK_END : LEXEME_VARIABLE_END;
    out->offset = (uint32_t)lexer->position;
    lexer->position = end;
    lexer->mode = LEXER_DATA;
    return true;
}

bool lexer_next(struct lexer *lexer, struct lexeme *out)
{
    memset(out, 0, sizeof *out);
    if (lexer->mode == LEXER_DATA) {
        do {
            if (!lex_data(lexer, out))
                return false;
        } while (out->kind == LEXEME_DATA && out->value.size == 0);
        return true;
    }
    for (;;) {
        if (lex_tag_end(lexer, out))
            return true;
        size_t behind = skip_space(lexer, lexer->position);
        if (behind == lexer->position)
            break;
        lexer->position = behind;
    }
    if (lexer->position == lexer->size) {
        out->kind = LEXEME_END;
        out->offset = (uint32_t)lexer->size;
        return true;
    }
    return lexer_word(lexer, out);
}
