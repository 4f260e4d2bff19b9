/* jinja_node.h: from template source to a tree. Private to text/.
 *
 * The grammar is that of jinja2 3.1 (parser.py). What stands left in a row, `a.b[1](x) | f + c`,
 * is one NODE_CHAIN: a base and the links applied to it one after the other, so a long row does
 * not nest. */
#ifndef LICHEN_JINJA_NODE_H
#define LICHEN_JINJA_NODE_H

#include "jinja_value.h"

enum {
    PARSE_SOURCE = 1 << 20,  /* bytes */
    PARSE_MEMORY = 64 << 20, /* bytes */
    PARSE_NESTING = 64,      /* blocks and brackets inside one another */
    PARSE_NAMES = 4096,      /* different identifiers */
};

enum lexeme_kind {
    LEXEME_END,
    LEXEME_DATA,
    LEXEME_VARIABLE_BEGIN,
    LEXEME_VARIABLE_END,
    LEXEME_BLOCK_BEGIN,
    LEXEME_BLOCK_END,
    LEXEME_NAME,
    LEXEME_STRING,
    LEXEME_INTEGER,
    LEXEME_FLOAT,
    LEXEME_ADD,
    LEXEME_SUBTRACT,
    LEXEME_MULTIPLY,
    LEXEME_DIVIDE,
    LEXEME_FLOOR_DIVIDE,
    LEXEME_MODULO,
    LEXEME_POWER,
    LEXEME_TILDE,
    LEXEME_EQUAL,
    LEXEME_NOT_EQUAL,
    LEXEME_LESS,
    LEXEME_LESS_EQUAL,
    LEXEME_GREATER,
    LEXEME_GREATER_EQUAL,
    LEXEME_ASSIGN,
    LEXEME_DOT,
    LEXEME_COLON,
    LEXEME_COMMA,
    LEXEME_SEMICOLON,
    LEXEME_PIPE,
    LEXEME_PAREN_OPEN,
    LEXEME_PAREN_CLOSE,
    LEXEME_BRACKET_OPEN,
    LEXEME_BRACKET_CLOSE,
    LEXEME_BRACE_OPEN,
    LEXEME_BRACE_CLOSE,
    LEXEME_IN,     /* only as the operator of a comparison */
    LEXEME_NOT_IN, /* likewise */
};

struct lexeme {
    enum lexeme_kind kind;
    uint32_t offset;    /* in the source */
    struct value value; /* data, name, string, number */
};

enum lexer_mode { LEXER_DATA, LEXER_VARIABLE, LEXER_BLOCK };

struct lexer {
    const char *source; /* [size], newlines are \n */
    size_t size;
    size_t position;
    enum lexer_mode mode;
    char open[PARSE_NESTING]; /* brackets that wait to be closed */
    size_t open_count;
    struct arena *arena;
    struct fault *fault;
};

enum node_kind { /* part[0], part[1], ... of each; value; next links the members of a list */
                 /* statements */
                 NODE_DATA,       /* value: text */
                 NODE_PRINT,      /* expression */
                 NODE_IF,         /* list of NODE_BRANCH */
                 NODE_BRANCH,     /* condition or NULL (else), body */
                 NODE_FOR,        /* target, iterable, condition or NULL, body, else body */
                 NODE_SET,        /* target, expression */
                 NODE_SET_BLOCK,  /* target, list of NODE_FILTER, body */
                 NODE_MACRO,      /* list of NODE_PARAMETER, body; name; flags */
                 NODE_CALL_BLOCK, /* list of NODE_PARAMETER, body, NODE_CHAIN that ends in a call */
                 NODE_PARAMETER,  /* default or NULL; name */
                 NODE_FILTER_BLOCK, /* list of NODE_FILTER, body */
                 NODE_WITH,         /* list of NODE_SET, body */
                 NODE_GENERATION,   /* body */
                 NODE_BREAK,
                 NODE_CONTINUE,
                 /* expressions */
                 NODE_CONSTANT,  /* value */
                 NODE_NAME,      /* name */
                 NODE_MEMBER,    /* target of set only: name, value = the member of the namespace */
                 NODE_LIST,      /* list of expressions */
                 NODE_TUPLE,     /* list of expressions */
                 NODE_DICT,      /* list of NODE_PAIR */
                 NODE_PAIR,      /* key, value */
                 NODE_NOT,       /* operand */
                 NODE_UNARY,     /* operand; operator */
                 NODE_AND,       /* list of expressions */
                 NODE_OR,        /* list of expressions */
                 NODE_CONCAT,    /* list of expressions */
                 NODE_COMPARE,   /* first, list of NODE_OPERAND */
                 NODE_OPERAND,   /* expression; operator */
                 NODE_CONDITION, /* condition, then, else or NULL */
                 NODE_CHAIN,     /* base, list of links */
                 /* links of a chain */
                 NODE_ATTRIBUTE, /* value: name */
                 NODE_ITEM,      /* index */
                 NODE_SLICE,     /* start, stop, step, each may be NULL */
                 NODE_CALL,      /* list of arguments */
                 NODE_FILTER,    /* list of arguments; value: name */
                 NODE_TEST,      /* list of arguments; value: name */
                 NODE_BINARY,    /* right operand; operator */
                 /* arguments that are not plain expressions */
                 NODE_KEYWORD,      /* expression; value: name */
                 NODE_SPLAT,        /* expression: *arguments */
                 NODE_DOUBLE_SPLAT, /* expression: **arguments */
};

struct names {
    const uint32_t *ids; /* [count] */
    uint32_t count;
};

enum macro_flag { MACRO_CALLER = 1, MACRO_VARARGS = 2, MACRO_KWARGS = 4 };

struct node {
    enum node_kind kind;
    uint32_t offset;  /* in the source */
    uint32_t name;    /* identifier, index into the program's names */
    uint8_t operator; /* enum lexeme_kind */
    uint8_t flags;    /* enum macro_flag */
    struct value value;
    struct node *part[5];
    struct node *next;
    struct names *hidden[2]; /* by its body and by its else, NULL = none; jinja_symbols.c */
};

enum { NAME_LOOP, NAME_CALLER, NAME_VARARGS, NAME_KWARGS }; /* the first names of a program */

struct program {
    struct arena arena;
    const char *source; /* [size] */
    size_t size;
    struct value *names; /* [name_count] strings */
    uint32_t name_count;
    struct node *body;
    struct names *hidden;
};

/* Finds what each body hides. False: no memory. */
bool program_symbols(struct program *program);

/* "line 3, column 7" of an offset. */
void source_place(const char *source, size_t size, uint32_t offset, unsigned *line,
                  unsigned *column);

bool lexer_next(struct lexer *lexer, struct lexeme *out);
/* Lexing inside {{ }} and {% %}, behind white space; lexer_next uses it. */
bool lexer_word(struct lexer *lexer, struct lexeme *out);
bool lexer_fail(struct lexer *lexer, size_t offset, const char *format, ...) FAULT_PRINTF(3, 4);
/* A string literal, its quotes at the position; ends behind it. */
bool lexer_string(struct lexer *lexer, struct value *out);
bool lexer_number(struct lexer *lexer, struct lexeme *out);

struct parser {
    struct lexer lexer;
    struct program *program;
    struct lexeme token; /* the current one */
    struct lexeme ahead; /* the one behind it */
    uint32_t *slots;     /* hash table of names: index + 1, 0 = free */
    uint32_t depth;
    uint32_t soft;       /* inside of an if: an unknown filter fails when it is reached */
    uint32_t loops;      /* loops around that break may leave */
    uint8_t macro_flags; /* of the macro that is being read */
};

bool parser_advance(struct parser *parser);
bool parser_fail(struct parser *parser, const char *format, ...) FAULT_PRINTF(2, 3);
bool parser_refuse(struct parser *parser, uint32_t offset, const char *format, ...)
    FAULT_PRINTF(3, 4);
bool parser_enter(struct parser *parser);
void parser_leave(struct parser *parser);
bool parser_is_name(const struct parser *parser, const char *name);
bool parser_expect(struct parser *parser, enum lexeme_kind kind, const char *what);
bool parser_intern(struct parser *parser, const struct value *text, uint32_t *out);
struct node *parser_node(struct parser *parser, enum node_kind kind);

struct node_list { /* appends in order */
    struct node *first;
    struct node *last;
};
void node_append(struct node_list *list, struct node *node);
/* Appends a link to the row that *node is, making it one first where it is not. */
bool node_chain(struct parser *parser, struct node **node, struct node *link);

/* Each leaves the parser behind what it read. NULL / false: failed. */
struct node *parse_expression(struct parser *parser, bool with_condition);
struct node *parse_tuple(struct parser *parser, bool with_condition, bool parenthesized);
struct node *parse_primary(struct parser *parser);                 /* a name, a literal or (...) */
struct node *parse_unary(struct parser *parser, bool with_filter); /* -a.b[c](d) | e is f */
struct node *parse_target(struct parser *parser, bool with_member);
bool parse_arguments(struct parser *parser, struct node **out);
bool parse_filters(struct parser *parser, bool inline_start, struct node **out);
bool parse_template(struct parser *parser); /* fills program->body */
const char *lexeme_name(const struct lexeme *token);

#endif
