/* jinja_expression.c: parses expressions, by precedence from `a if b else c` down to a.b[c](d). */
#include "jinja_node.h"

#include <string.h>

static bool take(struct parser *parser, enum lexeme_kind kind, bool *taken)
{
    *taken = parser->token.kind == kind;
    return !*taken || parser_advance(parser);
}

static bool take_name(struct parser *parser, const char *name, bool *taken)
{
    *taken = parser_is_name(parser, name);
    return !*taken || parser_advance(parser);
}

static bool is_any(const struct parser *parser, const enum lexeme_kind *kinds)
{
    for (; *kinds != LEXEME_END; kinds++)
        if (parser->token.kind == *kinds)
            return true;
    return false;
}

bool node_chain(struct parser *parser, struct node **node, struct node *link)
{
    if ((*node)->kind != NODE_CHAIN) {
        struct node *row = parser_node(parser, NODE_CHAIN);
        if (!row)
            return false;
        row->offset = (*node)->offset;
        row->part[0] = *node;
        *node = row;
    }
    struct node_list links = {(*node)->part[1], (*node)->part[2]}; /* part[2]: the last one */
    node_append(&links, link);
    (*node)->part[1] = links.first;
    (*node)->part[2] = links.last;
    return true;
}

/* Left-associative operators of one precedence. */
static struct node *parse_binary(struct parser *parser, const enum lexeme_kind *operators,
                                 struct node *(*operand)(struct parser *))
{
    struct node *left = operand(parser);
    while (left && is_any(parser, operators)) {
        struct node *link = parser_node(parser, NODE_BINARY);
        if (!link)
            return NULL;
        link->operator=(uint8_t) parser->token.kind;
        if (!parser_advance(parser) || !(link->part[0] = operand(parser)) ||
            !node_chain(parser, &left, link))
            return NULL;
    }
    return left;
}

static struct node *parse_operand(struct parser *parser)
{
    return parse_unary(parser, true);
}

static struct node *parse_power(struct parser *parser)
{
    static const enum lexeme_kind operators[] = {LEXEME_POWER, LEXEME_END};
    return parse_binary(parser, operators, parse_operand);
}

static struct node *parse_product(struct parser *parser)
{
    static const enum lexeme_kind operators[] = {LEXEME_MULTIPLY, LEXEME_DIVIDE,
                                                 LEXEME_FLOOR_DIVIDE, LEXEME_MODULO, LEXEME_END};
    return parse_binary(parser, operators, parse_power);
}

/* operand (separator operand)*: a node of `kind` with the list, or the only operand itself. */
static struct node *parse_list_of(struct parser *parser, enum node_kind kind,
                                  bool (*separator)(struct parser *, bool *),
                                  struct node *(*operand)(struct parser *))
{
    struct node_list list = {0};
    bool more = true;
    struct node *first = operand(parser);
    if (!first || !separator(parser, &more))
        return NULL;
    if (!more)
        return first;
    struct node *node = parser_node(parser, kind);
    if (!node)
        return NULL;
    node->offset = first->offset;
    node_append(&list, first);
    while (more) {
        struct node *next = operand(parser);
        if (!next || !separator(parser, &more))
            return NULL;
        node_append(&list, next);
    }
    node->part[0] = list.first;
    return node;
}

static bool take_tilde(struct parser *parser, bool *taken)
{
    return take(parser, LEXEME_TILDE, taken);
}

static bool take_and(struct parser *parser, bool *taken)
{
    return take_name(parser, "and", taken);
}

static bool take_or(struct parser *parser, bool *taken)
{
    return take_name(parser, "or", taken);
}

static struct node *parse_concat(struct parser *parser)
{
    return parse_list_of(parser, NODE_CONCAT, take_tilde, parse_product);
}

static struct node *parse_sum(struct parser *parser)
{
    static const enum lexeme_kind operators[] = {LEXEME_ADD, LEXEME_SUBTRACT, LEXEME_END};
    return parse_binary(parser, operators, parse_concat);
}

/* The operator of a comparison, LEXEME_END when there is none. */
static bool take_comparison(struct parser *parser, enum lexeme_kind *operator)
{
    *operator= LEXEME_END;
    if (parser->token.kind >= LEXEME_EQUAL && parser->token.kind <= LEXEME_GREATER_EQUAL)
        *operator= parser->token.kind;
    else if (parser_is_name(parser, "in"))
        *operator= LEXEME_IN;
    else if (parser_is_name(parser, "not") && parser->ahead.kind == LEXEME_NAME &&
             value_is_text(&parser->ahead.value, "in"))
        *operator= LEXEME_NOT_IN;
    if (*operator== LEXEME_NOT_IN && !parser_advance(parser))
        return false;
    return *operator== LEXEME_END || parser_advance(parser);
}

static struct node *parse_comparison(struct parser *parser)
{
    struct node_list operands = {0};
    enum lexeme_kind operator;
    struct node *first = parse_sum(parser), *node = NULL;
    if (!first)
        return NULL;
    for (;;) {
        struct node *operand = parser_node(parser, NODE_OPERAND);
        if (!operand || !take_comparison(parser, &operator))
            return NULL;
        if (operator== LEXEME_END)
            break;
        operand->operator=(uint8_t) operator;
        if (!(operand->part[0] = parse_sum(parser)))
            return NULL;
        node_append(&operands, operand);
    }
    if (!operands.first)
        return first;
    if (!(node = parser_node(parser, NODE_COMPARE)))
        return NULL;
    node->offset = operands.first->offset;
    node->part[0] = first;
    node->part[1] = operands.first;
    return node;
}

static struct node *parse_not(struct parser *parser)
{
    if (!parser_is_name(parser, "not"))
        return parse_comparison(parser);
    struct node *node = parser_node(parser, NODE_NOT);
    if (!node || !parser_enter(parser) || !parser_advance(parser) ||
        !(node->part[0] = parse_not(parser)))
        return NULL;
    parser_leave(parser);
    return node;
}

static struct node *parse_and(struct parser *parser)
{
    return parse_list_of(parser, NODE_AND, take_and, parse_not);
}

static struct node *parse_or(struct parser *parser)
{
    return parse_list_of(parser, NODE_OR, take_or, parse_and);
}

/* then if condition [else other], `then` already read and `if` too. */
static struct node *parse_condition(struct parser *parser, struct node *then)
{
    bool otherwise;
    struct node *node = parser_node(parser, NODE_CONDITION);
    if (!node || !(node->part[0] = parse_or(parser)) || !take_name(parser, "else", &otherwise))
        return NULL;
    node->part[1] = then;
    if (otherwise && !(node->part[2] = parse_expression(parser, true)))
        return NULL;
    return node;
}

struct node *parse_expression(struct parser *parser, bool with_condition)
{
    bool condition = with_condition;
    if (!parser_enter(parser))
        return NULL;
    struct node *node = parse_or(parser);
    while (node && condition) {
        if (!take_name(parser, "if", &condition))
            return NULL;
        if (!condition)
            break;
        parser->soft++;
        node = parse_condition(parser, node);
        parser->soft--;
    }
    parser_leave(parser);
    return node;
}

static bool is_tuple_end(const struct parser *parser)
{
    static const enum lexeme_kind ends[] = {LEXEME_VARIABLE_END, LEXEME_BLOCK_END,
                                            LEXEME_PAREN_CLOSE, LEXEME_END};
    return parser->token.kind == LEXEME_END || is_any(parser, ends);
}

struct node *parse_tuple(struct parser *parser, bool with_condition, bool parenthesized)
{
    struct node_list list = {0};
    bool comma = false;
    struct node *tuple = parser_node(parser, NODE_TUPLE);
    if (!tuple)
        return NULL;
    while (!is_tuple_end(parser)) {
        struct node *item = parse_expression(parser, with_condition);
        bool more;
        if (!item || !take(parser, LEXEME_COMMA, &more))
            return NULL;
        node_append(&list, item);
        comma |= more;
        if (!more)
            break;
    }
    if (!comma && list.first)
        return list.first;
    if (!comma && !parenthesized) {
        parser_fail(parser, "expected an expression, found %s", lexeme_name(&parser->token));
        return NULL;
    }
    tuple->part[0] = list.first;
    return tuple;
}

static struct node *parse_list_literal(struct parser *parser)
{
    struct node_list list = {0};
    struct node *node = parser_node(parser, NODE_LIST);
    if (!node || !parser_advance(parser))
        return NULL;
    while (parser->token.kind != LEXEME_BRACKET_CLOSE) {
        struct node *item;
        if (list.first && !parser_expect(parser, LEXEME_COMMA, "',' or ']'"))
            return NULL;
        if (parser->token.kind == LEXEME_BRACKET_CLOSE)
            break;
        if (!(item = parse_expression(parser, true)))
            return NULL;
        node_append(&list, item);
    }
    node->part[0] = list.first;
    return parser_advance(parser) ? node : NULL;
}

static struct node *parse_pair(struct parser *parser)
{
    struct node *pair = parser_node(parser, NODE_PAIR);
    if (!pair || !(pair->part[0] = parse_expression(parser, true)) ||
        !parser_expect(parser, LEXEME_COLON, "':'") ||
        !(pair->part[1] = parse_expression(parser, true)))
        return NULL;
    return pair;
}

static struct node *parse_dict_literal(struct parser *parser)
{
    struct node_list list = {0};
    struct node *node = parser_node(parser, NODE_DICT);
    if (!node || !parser_advance(parser))
        return NULL;
    while (parser->token.kind != LEXEME_BRACE_CLOSE) {
        struct node *pair;
        if (list.first && !parser_expect(parser, LEXEME_COMMA, "',' or '}'"))
            return NULL;
        if (parser->token.kind == LEXEME_BRACE_CLOSE)
            break;
        if (!(pair = parse_pair(parser)))
            return NULL;
        node_append(&list, pair);
    }
    node->part[0] = list.first;
    return parser_advance(parser) ? node : NULL;
}

/* 'a' 'b' is one string. */
static struct node *parse_string(struct parser *parser)
{
    struct node *node = parser_node(parser, NODE_CONSTANT);
    if (!node)
        return NULL;
    node->value = parser->token.value;
    if (!parser_advance(parser))
        return NULL;
    while (parser->token.kind == LEXEME_STRING) {
        const struct value *more = &parser->token.value;
        size_t size = node->value.size + more->size;
        char *bytes = arena_alloc(&parser->program->arena, size + 1, 1);
        if (!bytes) {
            parser_fail(parser, "needs more than %d MiB", PARSE_MEMORY >> 20);
            return NULL;
        }
        memcpy(bytes, node->value.bytes, node->value.size);
        memcpy(bytes + node->value.size, more->bytes, more->size);
        node->value = value_bytes(bytes, size);
        if (!parser_advance(parser))
            return NULL;
    }
    return node;
}

static bool name_constant(const struct value *name, struct value *out)
{
    if (value_is_text(name, "true") || value_is_text(name, "True"))
        *out = value_bool(true);
    else if (value_is_text(name, "false") || value_is_text(name, "False"))
        *out = value_bool(false);
    else if (value_is_text(name, "none") || value_is_text(name, "None"))
        *out = value_none();
    else
        return false;
    return true;
}

static void note_special(struct parser *parser, const struct value *name)
{
    if (value_is_text(name, "caller"))
        parser->macro_flags |= MACRO_CALLER;
    else if (value_is_text(name, "varargs"))
        parser->macro_flags |= MACRO_VARARGS;
    else if (value_is_text(name, "kwargs"))
        parser->macro_flags |= MACRO_KWARGS;
}

static struct node *parse_name(struct parser *parser)
{
    struct node *node = parser_node(parser, NODE_NAME);
    if (!node)
        return NULL;
    if (name_constant(&parser->token.value, &node->value))
        node->kind = NODE_CONSTANT;
    else if (!parser_intern(parser, &parser->token.value, &node->name))
        return NULL;
    note_special(parser, &parser->token.value);
    return parser_advance(parser) ? node : NULL;
}

static struct node *parse_parenthesized(struct parser *parser)
{
    struct node *node;
    if (!parser_advance(parser) || !(node = parse_tuple(parser, true, true)) ||
        !parser_expect(parser, LEXEME_PAREN_CLOSE, "')'"))
        return NULL;
    return node;
}

static struct node *parse_number(struct parser *parser)
{
    struct node *node = parser_node(parser, NODE_CONSTANT);
    if (!node)
        return NULL;
    node->value = parser->token.value;
    return parser_advance(parser) ? node : NULL;
}

struct node *parse_primary(struct parser *parser)
{
    switch (parser->token.kind) {
    case LEXEME_NAME:
        return parse_name(parser);
    case LEXEME_STRING:
        return parse_string(parser);
    case LEXEME_INTEGER:
    case LEXEME_FLOAT:
        return parse_number(parser);
    case LEXEME_PAREN_OPEN:
        return parse_parenthesized(parser);
    case LEXEME_BRACKET_OPEN:
        return parse_list_literal(parser);
    case LEXEME_BRACE_OPEN:
        return parse_dict_literal(parser);
    default:
        parser_fail(parser, "expected an expression, found %s", lexeme_name(&parser->token));
        return NULL;
    }
}
