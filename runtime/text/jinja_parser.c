/* jinja_parser.c: what both halves of the parser stand on: lexemes, nodes, names, refusals. */
#include "jinja_node.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { SLOTS = 2 * PARSE_NAMES }; /* of the hash table of names, a power of two */

bool parser_advance(struct parser *parser)
{
    parser->token = parser->ahead;
    if (parser->token.kind == LEXEME_END)
        return true;
    return lexer_next(&parser->lexer, &parser->ahead);
}

bool parser_fail(struct parser *parser, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return lexer_fail(&parser->lexer, parser->token.offset, "%s", text);
}

bool parser_refuse(struct parser *parser, uint32_t offset, const char *format, ...)
{
    char text[512];
    unsigned line, column;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    source_place(parser->lexer.source, parser->lexer.size, offset, &line, &column);
    return fault_set(parser->lexer.fault, FAULT_UNSUPPORTED,
                     "chat template, line %u, column %u: %s is not supported", line, column, text);
}

bool parser_enter(struct parser *parser)
{
    if (parser->depth == PARSE_NESTING)
        return parser_fail(parser, "more than %d blocks and brackets in one another",
                           PARSE_NESTING);
    parser->depth++;
    return true;
}

void parser_leave(struct parser *parser)
{
    parser->depth--;
}

bool parser_is_name(const struct parser *parser, const char *name)
{
    return parser->token.kind == LEXEME_NAME && value_is_text(&parser->token.value, name);
}

bool parser_expect(struct parser *parser, enum lexeme_kind kind, const char *what)
{
    if (parser->token.kind != kind)
        return parser_fail(parser, "expected %s, found %s", what, lexeme_name(&parser->token));
    return parser_advance(parser);
}

static uint32_t hash_text(const struct value *text)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < text->size; i++)
        hash = (hash ^ (unsigned char)text->bytes[i]) * 16777619u;
    return hash;
}

bool parser_intern(struct parser *parser, const struct value *text, uint32_t *out)
{
    struct program *program = parser->program;
    uint32_t slot = hash_text(text) % SLOTS;
    for (; parser->slots[slot]; slot = (slot + 1) % SLOTS) {
        const struct value *name = &program->names[parser->slots[slot] - 1];
        if (name->size == text->size && memcmp(name->bytes, text->bytes, text->size) == 0) {
            *out = parser->slots[slot] - 1;
            return true;
        }
    }
    if (program->name_count == PARSE_NAMES)
        return parser_fail(parser, "more than %d different names", PARSE_NAMES);
    *out = program->name_count++;
    program->names[*out] = *text;
    parser->slots[slot] = *out + 1;
    return true;
}

struct node *parser_node(struct parser *parser, enum node_kind kind)
{
    struct node *node = arena_alloc(&parser->program->arena, 1, sizeof *node);
    if (!node) {
        fault_set(parser->lexer.fault, FAULT_MEMORY, "chat template needs more than %d MiB",
                  PARSE_MEMORY >> 20);
        return NULL;
    }
    node->kind = kind;
    node->offset = parser->token.offset;
    return node;
}

void node_append(struct node_list *list, struct node *node)
{
    if (list->last)
        list->last->next = node;
    else
        list->first = node;
    list->last = node;
}

const char *lexeme_name(const struct lexeme *token)
{
    static const char *const names[] = {
        "end of template",
        "text",
        "{{",
        "}}",
        "{%",
        "%}",
        "name",
        "string",
        "integer",
        "float",
        "+",
        "-",
        "*",
        "/",
        "//",
        "%",
        "**",
        "~",
        "==",
        "!=",
        "<",
        "<=",
        ">",
        ">=",
        "=",
        ".",
        ":",
        ",",
        ";",
        "|",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "in",
        "not in",
    };
    return names[token->kind];
}
