/* test_pickle_bad.c: hostile and broken pickles, each with what the fault must say. */
#include "testing.h"

#include "convert_rig.h"
#include "pickle.h"

#define B(text) text, sizeof text - 1
#define START "\x80\x02"
#define DICT START "}X\1\0\0\0a" /* a dict, the key "a" */
#define ORDERED "ccollections\nOrderedDict\n"
#define STORAGE(key_size, key, count)                                                              \
    "(X\7\0\0\0storagectorch\nFloatStorage\nX" key_size "\0\0\0" key "X\3\0\0\0cpuK" count "tQ"
#define S0 STORAGE("\1", "0", "\6")
#define REBUILD "ctorch._utils\n_rebuild_tensor_v2\n("
#define HOOKS "\x89" ORDERED ")R"
#define END "tRs."

static const struct {
    const char *bytes;
    size_t size;
    const char *expected;
} bad[] = {
    /* what would run something */
    {B(START "cos\nsystem\nX\4\0\0\0true\x85R."), "byte 2: GLOBAL: refers to 'os system'"},
    {B(START "cposix\nsystem\n."), "refers to 'posix system'"},
    {B(START "cbuiltins\neval\nX\1\0\0\0001\x85R."), "refers to 'builtins eval'"},
    {B(START "c__builtin__\nexec\n."), "refers to '__builtin__ exec'"},
    {B(START "csubprocess\nPopen\n."), "refers to 'subprocess Popen'"},
    {B(START "ctorch.storage\nUntypedStorage\n."), "refers to 'torch.storage UntypedStorage'"},
    {B(START "ctorch\nFloatStorage.__class__\n."), "refers to 'torch FloatStorage.__class__'"},
    {B(START "ctorch\n_utils._rebuild_tensor_v2\n."), "refers to"},
    {B(START "ctorch._utils\n_rebuild_tensor\n."), "refers to 'torch._utils _rebuild_tensor'"},
    {B(START "ctorch\nFloatStorag\n."), "refers to 'torch FloatStorag'"},
    {B(START "c\n\n."), "refers to ' '"},
    {B(START "c\x1b[2J\nx\n."), "refers to '?[2J x'"},
    {B(START "X\2\0\0\0osX\6\0\0\0system\x93."), "opcode STACK_GLOBAL (93) is not allowed"},
    {B(START "(X\4\0\0\0trueios\nsystem\n."), "opcode INST (69)"},
    {B(START "(" ORDERED "o."), "opcode OBJ (6f)"},
    {B(START ORDERED ")\x81."), "opcode NEWOBJ (81)"},
    {B(START ORDERED ")}\x92."), "opcode NEWOBJ_EX (92)"},
    {B(START "\x82\1."), "opcode EXT1 (82)"},
    {B(START "\x83\1\0."), "opcode EXT2 (83)"},
    {B(START "\x84\1\0\0\0."), "opcode EXT4 (84)"},
    {B(START "P0\n."), "opcode PERSID (50)"},
    {B("\x80\x04\x95\0\0\0\0\0\0\0\0."), "PROTO: protocol 4, expected 2"},
    {B(START "\x95\0\0\0\0\0\0\0\0."), "opcode FRAME (95)"},
    {B(START "}\x94."), "opcode MEMOIZE (94)"},
    {B(START "\x97."), "opcode NEXT_BUFFER (97)"},
    {B(START "}0."), "opcode POP (30)"},
    {B(START "\xff."), "byte 2: opcode unknown (ff)"},
    {B(START "ctorch\nFloatStorage\n)R."), "FloatStorage may not be called"},
    {B(START "}"
             ")R."),
     "what is called is a dict, expected a global"},
    {B(START "K\1)R."), "what is called is an integer"},
    {B(START "}}b."), "BUILD: applies to a dict, expected an OrderedDict"},
    {B(START "ctorch\nFloatStorage\n}b."), "BUILD: applies to a global"},
    /* the machine */
    {B(""), "an opcode needs 1 bytes"},
    {B("}."), "begins with 7d, expected 80"},
    {B(START "."), "STOP: leaves 0 values, expected 1"},
    {B(START "}}."), "STOP: leaves 2 values"},
    {B(START "(."), "STOP: leaves 1 values"},
    {B(START "}.x"), "STOP: has 1 bytes behind it"},
    {B(START "}"), "an opcode needs 1 bytes"},
    {B(START "t."), "TUPLE: there is no mark"},
    {B(START "}e."), "APPENDS: there is no mark"},
    {B(START "(e."), "there is no container"},
    {B(START "\x85."), "TUPLE1: needs 1 values"},
    {B(START "K\1(\x86."), "TUPLE2: needs 2 values, the stack has fewer"},
    {B(START "}K\1a."), "APPEND: applies to a dict, expected a list"},
    {B(START ")K\1a."), "APPEND: applies to a tuple"},
    {B(START "]K\1K\2s."), "SETITEM: applies to a list, expected a dict"},
    {B(START S0 "K\1K\2s."), "SETITEM: applies to a storage, expected a dict"},
    {B(START "}(K\1u."), "SETITEMS: has 1 values, expected pairs"},
    {B(START "})K\1s."), "a key is a tuple, expected text or an integer"},
    {B(START "h\0."), "BINGET: memo 0 was never written"},
    {B(START "j\xff\xff\xff\xff."), "LONG_BINGET: memo 4294967295 was never written"},
    {B(START "}r\xff\xff\xff\xff."), "memo 4294967295, expected less than 1000000"},
    {B(START "q\0."), "BINPUT: needs 1 values"},
    {B(START "X\xff\xff\xff\xff."), "text of 4294967295 bytes"},
    {B(START "X\5\0\0\0a."), "BINUNICODE: byte 7: its text needs 5 bytes, only 2 are left"},
    {B(START "X\1\0\0\0\xff."), "not valid UTF-8"},
    {B(START "X\3\0\0\0\xed\xa0\x80."), "not valid UTF-8"},
    {B(START "\x8a\x09"
             "123456789."),
     "an integer of 9 bytes, at most 8"},
    {B(START "\x8a\x04"
             "1."),
     "its integer needs 4 bytes"},
    {B(START "G1."), "its float needs 8 bytes"},
    {B(START "ctorch"), "a name does not end within"},
    {B(START "K\1."), "holds an integer, expected a dict of tensors"},
    {B(START "]."), "holds a list, expected a dict"},
    /* references and tensors */
    {B(START "K\1Q."), "a persistent id: an integer, expected a tuple"},
    {B(START "K\1\x85Q."), "a tuple of 1 values, expected 5"},
    {B(START "(X\6\0\0\0module\x88\x88\x88\x88tQ."), "does not begin with 'storage'"},
    {B(START "(X\7\0\0\0storage\x88\x88\x88\x88tQ."), "the type of a storage is a truth value"},
    {B(START "(X\7\0\0\0storage" ORDERED "\x88\x88\x88tQ."), "type of a storage is OrderedDict"},
    {B(START STORAGE("\4", "../0", "\6") "."), "the key of a storage is '../0', expected digits"},
    {B(START STORAGE("\0", "", "\6") "."), "the key of a storage is '', expected digits"},
    {B(START "(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0000X\3\0\0\0cpuJ\xff\xff\xff\xfftQ."),
     "the count of a storage is -1"},
    {B(START "(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0000X\3\0\0\0cpu"
             "\x8a\x08\0\0\0\0\0\0\0\x40tQ."),
     "the size of storage 0 overflows"},
    {B(DICT REBUILD S0 "K\0"
                       "K\6\x85" END),
     "a tuple of 3 values, expected 6"},
    {B(DICT REBUILD "K\0K\0K\6\x85K\1\x85" HOOKS END), "storage of a tensor is an integer"},
    {B(DICT REBUILD S0 "K\1K\6\x85K\1\x85" HOOKS END),
     "reaches element 6 of storage 0, which has 6"},
    {B(DICT REBUILD S0 "K\0K\7\x85K\1\x85" HOOKS END), "reaches element 6 of storage 0"},
    {B(DICT REBUILD S0 "K\0K\6\x85K\2\x85" HOOKS END), "reaches element 10 of storage 0"},
    {B(DICT REBUILD S0 "K\0K\6\x85J\xff\xff\xff\xff\x85" HOOKS END), "a stride is -1"},
    {B(DICT REBUILD S0 "K\0J\xff\xff\xff\xff\x85K\1\x85" HOOKS END), "a dimension is -1"},
    {B(DICT REBUILD S0 "J\xff\xff\xff\xffK\6\x85K\1\x85" HOOKS END),
     "the offset of a tensor is -1"},
    {B(DICT REBUILD S0 "K\0\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x85K\3\x85" HOOKS END),
     "the end of a tensor overflows"},
    {B(DICT REBUILD S0 "K\0K\6\x85K\1K\1\x86" HOOKS END), "the stride of a tensor: a tuple of 2"},
    {B(DICT REBUILD S0 "K\0]K\1\x85" HOOKS END), "the size of a tensor is a list"},
    {B(DICT REBUILD S0 "K\0K\6\x85K\1\x85\x89NtRs."), "the hooks of a tensor is None"},
    {B(DICT REBUILD S0 "K\0(K\1K\1K\1K\1K\1K\1K\1K\1K\1t(t" HOOKS END), "9 dimensions, at most 8"},
    {B(DICT "ctorch._utils\n_rebuild_parameter\n(K\1\x89" ORDERED ")RtRs."),
     "a parameter is an integer"},
    {B(START ORDERED "K\1\x85R."), "OrderedDict: a tuple of 1 values, expected 0"},
    /* a dict that contains itself */
    {B(START "}q\0X\1\0\0\0ah\0s."), "nested deeper than 16"},
};

static void check(const void *bytes, size_t size, const char *expected)
{
    uint8_t *copy = malloc(size ? size : 1); /* so that a read behind the end is seen */
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    struct pickle pickle;
    struct fault fault = {0};
    bool done = pickle_parse(copy, size, &pickle, &fault);
    pickle_free(&pickle);
    free(copy);
    if (done)
        fail_msg("accepted, expected '%s'", expected);
    assert_int_not_equal(fault.kind, FAULT_NONE);
    if (!strstr(fault.text, expected))
        fail_msg("'%s' does not say '%s'", fault.text, expected);
}

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        check(bad[i].bytes, bad[i].size, bad[i].expected);
}

static void test_prefixes(void **state)
{
    (void)state;
    size_t size;
    uint8_t *bytes = rig_pickle("a", 6, 0, (uint32_t[]){2, 3}, (uint32_t[]){3, 1}, &size);
    for (size_t i = 0; i < size; i++)
        check(bytes, i, "");
    struct pickle pickle;
    assert_true(pickle_parse(bytes, size, &pickle, NULL));
    assert_int_equal(pickle.tensor_count, 1);
    pickle_free(&pickle);
    free(bytes);
}

/* count times what behind start */
static void check_repeated(const char *start, size_t start_size, const char *what, size_t size,
                           size_t count, const char *expected)
{
    uint8_t *bytes = malloc(start_size + size * count);
    assert_non_null(bytes);
    memcpy(bytes, start, start_size);
    for (size_t i = 0; i < count; i++)
        memcpy(bytes + start_size + i * size, what, size);
    check(bytes, start_size + size * count, expected);
    free(bytes);
}

static void test_budgets(void **state)
{
    (void)state;
    check_repeated(B(START), B("N"), 1000001, "the stack holds more than 1000000 values");
    check_repeated(B(START), B("("), 1000001, "the stack holds more than 1000000 values");
    check_repeated(B(START "}"), B("h\0"), 10, "never written");
    check_repeated(B(START ")"), B("\x85"), 4000000, "more memory than the 64 MiB allowed");
    check_repeated(B(START "]"), B("]a"), 4000000, "");
    check_repeated(B(START "}q\0"), B("r\0\0\0\0"), 12000000, "");
    check_repeated(B(START "}"), B("K\1" S0 "s"), 65537, "more than 65536 storages");
}

/* A tuple that holds the one before three times, 14 times over: 3^14 paths to an empty one. */
static void test_many_paths(void **state)
{
    (void)state;
    char bytes[256] = DICT ")q\0";
    size_t size = sizeof DICT - 1 + 3;
    for (int i = 0; i < 14; i++, size += 7)
        memcpy(bytes + size, "h\0h\0\x87q\0", 7);
    memcpy(bytes + size, "s.", 2);
    check(bytes, size + 2, "more than 1000000 values lead to tensors");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_budgets),
        cmocka_unit_test(test_many_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
