/* test_sha256.c: the vectors of FIPS 180-4's examples. */
#include "sha256.h"
#include "testing.h"

static void assert_hash(const char *bytes, size_t size, size_t times, const char *expected)
{
    struct sha256 hash;
    char text[SHA256_TEXT_SIZE];
    sha256_init(&hash);
    for (size_t i = 0; i < times; i++)
        sha256_add(&hash, bytes, size);
    sha256_text(&hash, text);
    assert_string_equal(text, expected);
}

static void test_vectors(void **state)
{
    (void)state;
    assert_hash("", 0, 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_hash("abc", 3, 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_hash("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, 1,
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    assert_hash("a", 1, 1000000,
                "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void test_file(void **state)
{
    (void)state;
    char path[] = LICHEN_TEST_OUTPUT "/sha256.txt", text[SHA256_TEXT_SIZE];
    struct fault fault = {0};
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs("abc", file);
    assert_int_equal(fclose(file), 0);
    assert_true(sha256_file(path, NULL, NULL, text, &fault));
    assert_string_equal(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_false(sha256_file(LICHEN_TEST_OUTPUT "/nothing-here", NULL, NULL, text, &fault));
    assert_int_equal(fault.kind, FAULT_FILE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_vectors), cmocka_unit_test(test_file)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
