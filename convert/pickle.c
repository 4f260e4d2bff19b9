/* pickle.c: the interpreter: a stack, a memo, and the 33 opcodes of protocol 2, those that
 * torch.save writes and torch's own weights-only reader accepts. Every other byte is refused by
 * name. */
#include "checked.h"
#include "pickle_value.h"
#include "reader.h"

#include <stdlib.h>
#include <string.h>

enum { GLOBAL_LINE_MAX = 256 };

struct machine {
    struct pickle *pickle;
    struct reader reader;
    struct fault *fault;
    struct pickle_value *stack; /* [stack_capacity], owned */
    uint32_t stack_count, stack_capacity;
    struct pickle_value *memo; /* [memo_capacity], owned; PICKLE_MARK = unset */
    uint32_t memo_capacity;
    bool stopped;
};

static const struct {
    const char *module, *name;
    enum element element; /* of a storage */
} globals[GLOBAL_COUNT] = {
    {"torch", "DoubleStorage", ELEMENT_F64},
    {"torch", "FloatStorage", ELEMENT_F32},
    {"torch", "HalfStorage", ELEMENT_F16},
    {"torch", "BFloat16Storage", ELEMENT_BF16},
    {"torch", "LongStorage", ELEMENT_I64},
    {"torch", "IntStorage", ELEMENT_I32},
    {"torch", "ShortStorage", ELEMENT_I16},
    {"torch", "CharStorage", ELEMENT_I8},
    {"torch", "ByteStorage", ELEMENT_U8},
    {"torch", "BoolStorage", ELEMENT_BOOL},
    [GLOBAL_ORDERED_DICT] = {"collections", "OrderedDict", ELEMENT_COUNT},
    [GLOBAL_REBUILD_TENSOR] = {"torch._utils", "_rebuild_tensor_v2", ELEMENT_COUNT},
    [GLOBAL_REBUILD_PARAMETER] = {"torch._utils", "_rebuild_parameter", ELEMENT_COUNT},
};

enum element pickle_global_element(enum pickle_global global)
{
    return globals[global].element;
}

const char *pickle_global_name(enum pickle_global global)
{
    return globals[global].name;
}

const char *pickle_kind_name(enum pickle_kind kind)
{
    static const char *const names[] = {"None",     "a mark",    "a truth value", "an integer",
                                        "a float",  "text",      "bytes",         "a tuple",
                                        "a list",   "a set",     "a dict",        "an OrderedDict",
                                        "a global", "a storage", "a tensor"};
    return names[kind];
}

bool pickle_no_memory(struct fault *fault)
{
    return fault_set(fault, FAULT_MEMORY, "the pickle needs more memory than the %d MiB allowed",
                     PICKLE_MEMORY_MAX >> 20);
}

/* stack */

static bool grow(struct pickle_value **values, uint32_t *capacity, uint32_t wanted,
                 const char *what, struct fault *fault)
{
    if (wanted > PICKLE_STACK_MAX)
        return fault_set(fault, FAULT_FORMAT, "%s holds more than %d values", what,
                         PICKLE_STACK_MAX);
    if (wanted <= *capacity)
        return true;
    uint32_t larger = wanted < 128 ? 256 : wanted * 2;
    struct pickle_value *moved = realloc(*values, larger * sizeof *moved);
    if (!moved)
        return fault_set(fault, FAULT_MEMORY, "no memory for the pickle's values");
    for (uint32_t i = *capacity; i < larger; i++)
        moved[i] = (struct pickle_value){.kind = PICKLE_MARK};
    *values = moved;
    *capacity = larger;
    return true;
}

static bool push(struct machine *machine, struct pickle_value value)
{
    if (!grow(&machine->stack, &machine->stack_capacity, machine->stack_count + 1, "the stack",
              machine->fault))
        return false;
    machine->stack[machine->stack_count++] = value;
    return true;
}

static bool push_integer(struct machine *machine, enum pickle_kind kind, int64_t integer)
{
    return push(machine, (struct pickle_value){.kind = kind, .as.integer = integer});
}

/* The topmost count values, none of them a mark; NULL when they are not there. */
static struct pickle_value *top(struct machine *machine, uint32_t count)
{
    struct pickle_value *values = NULL;
    if (count <= machine->stack_count)
        values = machine->stack + machine->stack_count - count;
    for (uint32_t i = 0; values && i < count; i++)
        if (values[i].kind == PICKLE_MARK)
            values = NULL;
    if (!values)
        fault_set(machine->fault, FAULT_FORMAT, "needs %u values, the stack has fewer", count);
    return values;
}

/* How many values lie above the topmost mark. */
static bool count_to_mark(struct machine *machine, uint32_t *count)
{
    for (uint32_t i = machine->stack_count; i > 0; i--) {
        if (machine->stack[i - 1].kind != PICKLE_MARK)
            continue;
        *count = machine->stack_count - i;
        return true;
    }
    return fault_set(machine->fault, FAULT_FORMAT, "there is no mark on the stack");
}

/* containers */

static bool list_append(struct machine *machine, struct pickle_list *list,
                        const struct pickle_value *values, uint32_t count)
{
    struct arena *arena = &machine->pickle->arena;
    if (count > list->capacity - list->count) {
        uint32_t capacity = (list->count + count) * (list->count ? 2 : 1); /* of at most 2^21 */
        if (list->count + count > 2 * PICKLE_STACK_MAX)
            return fault_set(machine->fault, FAULT_FORMAT, "a container of more than %d values",
                             2 * PICKLE_STACK_MAX);
        struct pickle_value *items = arena_alloc(arena, capacity, sizeof *items);
        if (!items)
            return pickle_no_memory(machine->fault);
        if (list->count)
            memcpy(items, list->items, list->count * sizeof *items);
        list->items = items;
        list->capacity = capacity;
    }
    if (count)
        memcpy(list->items + list->count, values, count * sizeof *values);
    list->count += count;
    return true;
}

/* A new container in the place of the topmost count values, which go into it. */
static bool push_list(struct machine *machine, enum pickle_kind kind, uint32_t count)
{
    struct pickle_value *values = count > 0 ? top(machine, count) : NULL;
    if (count > 0 && !values)
        return false;
    struct pickle_list *list = arena_alloc(&machine->pickle->arena, 1, sizeof *list);
    if (!list)
        return pickle_no_memory(machine->fault);
    if (!list_append(machine, list, values, count))
        return false;
    machine->stack_count -= count;
    return push(machine, (struct pickle_value){.kind = kind, .as.list = list});
}

static bool is_dict(const struct pickle_value *value)
{
    return value->kind == PICKLE_DICT || value->kind == PICKLE_ORDERED_DICT;
}

/* The container under count values (and a mark, when marked) takes them. */
static bool take_values(struct machine *machine, uint32_t count, bool marked, bool into_dict)
{
    uint32_t above = count + marked;
    struct pickle_value *values = count > 0 ? top(machine, count) : NULL;
    if (count > 0 && !values)
        return false;
    if (machine->stack_count < above + 1)
        return fault_set(machine->fault, FAULT_FORMAT, "there is no container on the stack");
    struct pickle_value *container = &machine->stack[machine->stack_count - above - 1];
    if (into_dict ? !is_dict(container) : container->kind != PICKLE_LIST)
        return fault_set(machine->fault, FAULT_FORMAT, "applies to %s, expected a %s",
                         pickle_kind_name(container->kind), into_dict ? "dict" : "list");
    if (into_dict && count % 2 != 0)
        return fault_set(machine->fault, FAULT_FORMAT, "has %u values, expected pairs", count);
    for (uint32_t i = 0; into_dict && i < count; i += 2)
        if (values[i].kind != PICKLE_TEXT && values[i].kind != PICKLE_INTEGER)
            return fault_set(machine->fault, FAULT_FORMAT,
                             "a key is %s, expected text or an integer",
                             pickle_kind_name(values[i].kind));
    if (!list_append(machine, container->as.list, values, count))
        return false;
    machine->stack_count -= above;
    return true;
}

/* arguments */

static bool second_is_allowed(uint8_t first, uint8_t second)
{
    switch (first) {
    case 0xe0:
        return second >= 0xa0;
    case 0xed:
        return second < 0xa0;
    case 0xf0:
        return second >= 0x90;
    case 0xf4:
        return second < 0x90;
    default:
        return true;
    }
}

static bool is_utf8(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size;) {
        uint8_t first = bytes[i];
        size_t more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
        if ((first >= 0x80 && first < 0xc2) || first > 0xf4 || more >= size - i)
            return false;
        for (size_t j = 1; j <= more; j++)
            if ((bytes[i + j] & 0xc0) != 0x80)
                return false;
        if (more > 0 && !second_is_allowed(first, bytes[i + 1]))
            return false;
        i += more + 1;
    }
    return true;
}

static bool push_text(struct machine *machine, enum pickle_kind kind, uint32_t size)
{
    if (size > PICKLE_TEXT_MAX)
        return fault_set(machine->fault, FAULT_FORMAT, "text of %u bytes, at most %d are allowed",
                         size, PICKLE_TEXT_MAX);
    const uint8_t *bytes = reader_bytes(&machine->reader, size, "its text");
    if (!bytes)
        return false;
    if (kind == PICKLE_TEXT && !is_utf8(bytes, size))
        return fault_set(machine->fault, FAULT_FORMAT, "text is not valid UTF-8");
    return push(machine, (struct pickle_value){.kind = kind, .size = size, .as.text = bytes});
}

static bool push_long(struct machine *machine)
{
    uint8_t size = reader_u8(&machine->reader, "its size");
    if (size > 8)
        return fault_set(machine->fault, FAULT_FORMAT, "an integer of %u bytes, at most 8 fit",
                         size);
    const uint8_t *bytes = reader_bytes(&machine->reader, size, "its integer");
    if (!bytes)
        return false;
    uint64_t bits = size && bytes[size - 1] & 0x80 ? UINT64_MAX : 0;
    for (uint32_t i = size; i-- > 0;)
        bits = bits << 8 | bytes[i];
    int64_t integer;
    memcpy(&integer, &bits, sizeof integer);
    return push_integer(machine, PICKLE_INTEGER, integer);
}

/* One line in place, without its end. */
static bool read_line(struct machine *machine, const char **line, int *size)
{
    struct reader *reader = &machine->reader;
    size_t left = reader->size - reader->offset;
    size_t limit = left < GLOBAL_LINE_MAX ? left : GLOBAL_LINE_MAX;
    const uint8_t *start = reader->bytes + reader->offset;
    const uint8_t *end = limit ? memchr(start, '\n', limit) : NULL;
    if (!end)
        return fault_set(machine->fault, FAULT_FORMAT, "a name does not end within %zu bytes",
                         limit);
    *line = (const char *)start;
    *size = (int)(end - start);
    reader->offset += (size_t)*size + 1;
    return true;
}

static bool equals(const char *bytes, int size, const char *text)
{
    return (size_t)size == strlen(text) && memcmp(bytes, text, (size_t)size) == 0;
}

static bool push_global(struct machine *machine)
{
    const char *module = "", *name = "";
    int module_size = 0, name_size = 0;
    if (!read_line(machine, &module, &module_size) || !read_line(machine, &name, &name_size))
        return false;
    for (int i = 0; i < GLOBAL_COUNT; i++)
        if (equals(module, module_size, globals[i].module) &&
            equals(name, name_size, globals[i].name))
            return push_integer(machine, PICKLE_GLOBAL, i);
    return fault_set(machine->fault, FAULT_UNSUPPORTED,
                     "refers to '%.*s %.*s', which a checkpoint of weights does not need; nothing "
                     "of it was run",
                     module_size, module, name_size, name);
}

/* memo */

static bool memo_write(struct machine *machine, uint32_t index)
{
    struct pickle_value *value = top(machine, 1);
    if (!value || machine->reader.failed)
        return false;
    if (index >= PICKLE_STACK_MAX)
        return fault_set(machine->fault, FAULT_FORMAT, "memo %u, expected less than %d", index,
                         PICKLE_STACK_MAX);
    if (!grow(&machine->memo, &machine->memo_capacity, index + 1, "the memo", machine->fault))
        return false;
    machine->memo[index] = *value;
    return true;
}

static bool memo_read(struct machine *machine, uint32_t index)
{
    if (machine->reader.failed)
        return false;
    if (index >= machine->memo_capacity || machine->memo[index].kind == PICKLE_MARK)
        return fault_set(machine->fault, FAULT_FORMAT, "memo %u was never written", index);
    return push(machine, machine->memo[index]);
}

/* opcodes */

static bool op_proto(struct machine *machine)
{
    uint8_t version = reader_u8(&machine->reader, "the protocol");
    return (!machine->reader.failed && version == 2) ||
           fault_set(machine->fault, FAULT_UNSUPPORTED, "protocol %u, expected 2", version);
}

static bool op_float(struct machine *machine)
{
    reader_u64(&machine->reader, "its float"); /* no weight hangs on its value */
    return push_integer(machine, PICKLE_FLOAT, 0);
}

static bool op_persistent(struct machine *machine)
{
    struct pickle_value *tuple = top(machine, 1);
    return tuple && pickle_reference(machine->pickle, tuple, tuple, machine->fault);
}

static bool op_reduce(struct machine *machine)
{
    struct pickle_value *values = top(machine, 2);
    if (!values ||
        !pickle_call(machine->pickle, &values[0], &values[1], &values[0], machine->fault))
        return false;
    machine->stack_count--;
    return true;
}

static bool op_build(struct machine *machine)
{
    struct pickle_value *values = top(machine, 2);
    if (!values)
        return false;
    if (values[0].kind != PICKLE_ORDERED_DICT)
        return fault_set(machine->fault, FAULT_FORMAT, "applies to %s, expected an OrderedDict",
                         pickle_kind_name(values[0].kind));
    machine->stack_count--; /* the state holds no weights */
    return true;
}

static bool op_tuple(struct machine *machine)
{
    uint32_t count = 0;
    if (!count_to_mark(machine, &count) || !push_list(machine, PICKLE_TUPLE, count))
        return false;
    machine->stack_count--; /* the mark lies under the tuple */
    machine->stack[machine->stack_count - 1] = machine->stack[machine->stack_count];
    return true;
}

static bool op_take(struct machine *machine, bool into_dict)
{
    uint32_t count = 0;
    return count_to_mark(machine, &count) && take_values(machine, count, true, into_dict);
}

static bool op_stop(struct machine *machine)
{
    machine->stopped = true;
    if (machine->stack_count != 1 || machine->stack[0].kind == PICKLE_MARK)
        return fault_set(machine->fault, FAULT_FORMAT, "leaves %u values, expected 1",
                         machine->stack_count);
    if (reader_left(&machine->reader) > 0)
        return fault_set(machine->fault, FAULT_FORMAT, "has %llu bytes behind it",
                         (unsigned long long)reader_left(&machine->reader));
    return true;
}

/* X(byte, name, what it does with struct machine *m) */
#define OPCODES(X)                                                                                 \
    X(0x80, PROTO, op_proto(m))                                                                    \
    X(0x2e, STOP, op_stop(m))                                                                      \
    X(0x28, MARK, push_integer(m, PICKLE_MARK, 0))                                                 \
    X(0x63, GLOBAL, push_global(m))                                                                \
    X(0x51, BINPERSID, op_persistent(m))                                                           \
    X(0x52, REDUCE, op_reduce(m))                                                                  \
    X(0x62, BUILD, op_build(m))                                                                    \
    X(0x71, BINPUT, memo_write(m, reader_u8(&m->reader, "its index")))                             \
    X(0x72, LONG_BINPUT, memo_write(m, reader_u32(&m->reader, "its index")))                       \
    X(0x68, BINGET, memo_read(m, reader_u8(&m->reader, "its index")))                              \
    X(0x6a, LONG_BINGET, memo_read(m, reader_u32(&m->reader, "its index")))                        \
    X(0x58, BINUNICODE, push_text(m, PICKLE_TEXT, reader_u32(&m->reader, "its size")))             \
    X(0x55, SHORT_BINSTRING, push_text(m, PICKLE_BYTES, reader_u8(&m->reader, "its size")))        \
    X(0x4b, BININT1, push_integer(m, PICKLE_INTEGER, reader_u8(&m->reader, "its integer")))        \
    X(0x4d, BININT2, push_integer(m, PICKLE_INTEGER, reader_u16(&m->reader, "its integer")))       \
    X(0x4a, BININT,                                                                                \
      push_integer(m, PICKLE_INTEGER, (int32_t)reader_u32(&m->reader, "its integer")))             \
    X(0x8a, LONG1, push_long(m))                                                                   \
    X(0x47, BINFLOAT, op_float(m))                                                                 \
    X(0x88, NEWTRUE, push_integer(m, PICKLE_BOOL, 1))                                              \
    X(0x89, NEWFALSE, push_integer(m, PICKLE_BOOL, 0))                                             \
    X(0x4e, NONE, push_integer(m, PICKLE_NONE, 0))                                                 \
    X(0x29, EMPTY_TUPLE, push_list(m, PICKLE_TUPLE, 0))                                            \
    X(0x5d, EMPTY_LIST, push_list(m, PICKLE_LIST, 0))                                              \
    X(0x7d, EMPTY_DICT, push_list(m, PICKLE_DICT, 0))                                              \
    X(0x8f, EMPTY_SET, push_list(m, PICKLE_SET, 0))                                                \
    X(0x74, TUPLE, op_tuple(m))                                                                    \
    X(0x85, TUPLE1, push_list(m, PICKLE_TUPLE, 1))                                                 \
    X(0x86, TUPLE2, push_list(m, PICKLE_TUPLE, 2))                                                 \
    X(0x87, TUPLE3, push_list(m, PICKLE_TUPLE, 3))                                                 \
    X(0x61, APPEND, take_values(m, 1, false, false))                                               \
    X(0x65, APPENDS, op_take(m, false))                                                            \
    X(0x73, SETITEM, take_values(m, 2, false, true))                                               \
    X(0x75, SETITEMS, op_take(m, true))

static const struct {
    uint8_t byte;
    const char *name;
} refused[] = {
    {0x81, "NEWOBJ"},
    {0x92, "NEWOBJ_EX"},
    {0x93, "STACK_GLOBAL"},
    {0x69, "INST"},
    {0x6f, "OBJ"},
    {0x82, "EXT1"},
    {0x83, "EXT2"},
    {0x84, "EXT4"},
    {0x95, "FRAME"},
    {0x94, "MEMOIZE"},
    {0x97, "NEXT_BUFFER"},
    {0x98, "READONLY_BUFFER"},
    {0x50, "PERSID"},
    {0x30, "POP"},
    {0x31, "POP_MARK"},
    {0x32, "DUP"},
    {0x49, "INT"},
    {0x4c, "LONG"},
    {0x53, "STRING"},
    {0x56, "UNICODE"},
    {0x54, "BINSTRING"},
    {0x8b, "LONG4"},
    {0x8c, "SHORT_BINUNICODE"},
    {0x8d, "BINUNICODE8"},
    {0x42, "BINBYTES"},
    {0x43, "SHORT_BINBYTES"},
    {0x64, "DICT"},
    {0x6c, "LIST"},
    {0x70, "PUT"},
    {0x67, "GET"},
    {0x46, "FLOAT"},
    {0x90, "ADDITEMS"},
    {0x91, "FROZENSET"},
    {0x96, "BYTEARRAY8"},
    {0x8e, "BINBYTES8"},
};

static bool refuse_opcode(uint8_t opcode, struct fault *fault)
{
    const char *name = "unknown";
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (refused[i].byte == opcode)
            name = refused[i].name;
    return fault_set(fault, FAULT_UNSUPPORTED, "opcode %s (%02x) is not allowed in a checkpoint",
                     name, opcode);
}

static const char *opcode_name(uint8_t opcode)
{
    switch (opcode) {
#define NAME(byte, name, action)                                                                   \
    case byte:                                                                                     \
        return #name;
        OPCODES(NAME)
#undef NAME
    default:
        return NULL;
    }
}

static bool run_opcode(struct machine *m, uint8_t opcode)
{
    switch (opcode) {
#define RUN(byte, name, action)                                                                    \
    case byte:                                                                                     \
        return (action) && !m->reader.failed;
        OPCODES(RUN)
#undef RUN
    default:
        return refuse_opcode(opcode, m->fault);
    }
}

static bool run(struct machine *machine)
{
    struct reader *reader = &machine->reader;
    for (uint32_t i = 0; !machine->stopped; i++) {
        size_t start = reader->offset;
        if (i == PICKLE_OPCODE_MAX)
            return fault_set(machine->fault, FAULT_FORMAT, "more than %d opcodes", i);
        uint8_t opcode = reader_u8(reader, "an opcode");
        if (reader->failed)
            return false;
        if (i == 0 && opcode != 0x80)
            return fault_set(machine->fault, FAULT_FORMAT,
                             "byte 0: begins with %02x, expected 80 (a pickle)", opcode);
        if (run_opcode(machine, opcode))
            continue;
        const char *name = opcode_name(opcode);
        return name ? fault_context(machine->fault, "byte %zu: %s", start, name)
                    : fault_context(machine->fault, "byte %zu", start);
    }
    return true;
}

bool pickle_parse(const void *bytes, size_t size, struct pickle *pickle, struct fault *fault)
{
    *pickle = (struct pickle){0};
    arena_init(&pickle->arena, PICKLE_MEMORY_MAX);
    if (size > PICKLE_SIZE_MAX)
        return fault_set(fault, FAULT_FORMAT, "a pickle of %zu bytes, at most %d are allowed", size,
                         PICKLE_SIZE_MAX);
    struct machine machine = {.pickle = pickle, .fault = fault};
    reader_init(&machine.reader, bytes, size, fault);
    bool done = run(&machine) && pickle_walk(pickle, &machine.stack[0], fault);
    free(machine.stack);
    free(machine.memo);
    return done;
}

void pickle_free(struct pickle *pickle)
{
    arena_free(&pickle->arena);
    *pickle = (struct pickle){0};
}
