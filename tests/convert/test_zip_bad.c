/* test_zip_bad.c: zips that lie, each with what the fault must say; every prefix and many flipped
 * bytes of a good one. */
#include "testing.h"

#include "convert_rig.h"
#include "zip_build.h"

static const uint8_t data[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

#define D data, 12
#define P NULL, 0 /* the pickle comes here */

static const struct {
    struct zip_entry entries[4];
    size_t count;
    const char *expected;
} bad[] = {
    {{{"m/data/0", D, 0, 0, 0, 0, 0}}, 1, "a zip without data.pkl"},
    {{{"data.pkl", P, 0, 0, 0, 0, 0}}, 1, "a zip without data.pkl"},
    {{{"m/data.pkl", P, 0, 0, 0, 0, 0}}, 1, "storage 0: the zip has no entry 'm/data/0'"},
    {{{"m/data.pkl", P, 0, 0, 0, 0, 0}, {"n/data/0", D, 0, 0, 0, 0, 0}}, 2, "no entry 'm/data/0'"},
    {{{"m/data.pkl", P, 0, 0, 0, 0, 0}, {"m/DATA/0", D, 0, 0, 0, 0, 0}}, 2, "no entry 'm/data/0'"},
    {{{"m/data.pkl", P, 0, 0, 0, 0, 0}, {"n/data.pkl", P, 0, 0, 0, 0, 0}},
     2,
     "two entries end in /data.pkl"},
    {{{"m/data.pkl", P, 0, 0, 0, 0, 0}, {"m/data.pkl", P, 0, 0, 0, 0, 0}}, 2, "not a whole zip"},
    {{{"m/data.pkl", P, 0, 0, 0, 0, 0}, {"m/data/0", data, 11, 0, 0, 0, 0, 0}},
     2,
     "storage 0: has 11 bytes in the zip, expected 12"},
    {{{"m/data.pkl", P, 0, 0, 0, 0, 0}, {"m/data/0", data, 0, 0, 0, 0, 0, 0}},
     2,
     "storage 0: has 0 bytes in the zip, expected 12"},
    {{{"m/data.pkl", P, 0, 0, 0, 0, 0}, {"m/data/0", D, 8, 0, 0, 0, 0}},
     2,
     "entry 'm/data/0' is compressed (method 8"},
    {{{"m/data.pkl", P, 12, 0, 0, 0, 0}, {"m/data/0", D, 0, 0, 0, 0, 0}},
     2,
     "entry 'm/data.pkl' is compressed (method 12"},
    {{{"m/data.pkl", P, 0, 0, 0, 0, 0}, {"m/data/0", D, 0, 1, 0, 0, 0}},
     2,
     "entry 'm/data/0' is encrypted"},
    {{{"m/data.pkl", P, 0, 0, 1, 0, 0}, {"m/data/0", D, 0, 0, 0, 0, 0}}, 2, "CRC error"},
    {{{"m/data.pkl", P, 0, 0, 0, 1000000, 0}, {"m/data/0", D, 0, 0, 0, 0, 0}}, 2, "bad_zip.bin: "},
    {{{"m/data.pkl", P, 0, 0, 0, 0, 0}, {"m/data/0", D, 0, 0, 0, 1000000, 0}}, 2, "bad_zip.bin: "},
    {{{"m/data.pkl", P, 0, 0, 0, 0, 0},
      {"m/data/0", D, 0, 0, 0, 0, 0},
      {"m/byteorder", "big", 3, 0, 0, 0, 0, 0}},
     3,
     "its byte order is 'big'"},
    {{{"m/data.pkl", P, 0, 0, 0, 0, 0},
      {"m/data/0", D, 0, 0, 0, 0, 0},
      {"m/byteorder", "little-endian", 13, 0, 0, 0, 0, 0}},
     3,
     "expected 'little'"},
    {{{"m/data.pkl", "cos\n", 4, 0, 0, 0, 0, 0}}, 1, "data.pkl: byte 0: begins with 63"},
    {{{"m/data.pkl",
       "\x80\x02"
       "cos\nsystem\n",
       14, 0, 0, 0, 0, 0}},
     1,
     "refers to 'os system'"},
    {{{"m/data.pkl", "", 0, 0, 0, 0, 0, 0}}, 1, "bad_zip.bin: "},
    {{{"m/data.pkl", P, 0, 0, 0, 0, 0}, {"m/data/0", D, 0, 0, 0, 0, 1}}, 2, "bad_zip.bin: "},
};

static uint8_t *good_pickle(size_t *size)
{
    return rig_pickle("a", 6, 0, (uint32_t[]){2, 3}, (uint32_t[]){1, 2}, size);
}

static uint8_t *good_zip(size_t *size)
{
    size_t pickle_size;
    uint8_t *pickle = good_pickle(&pickle_size);
    struct zip_entry entries[] = {
        {"m/data.pkl", pickle, pickle_size, 0, 0, 0, 0, 0},
        {"m/data/0", D, 0, 0, 0, 0, 0},
        {"m/byteorder", "little", 6, 0, 0, 0, 0, 0},
        {"m/version", "3\n", 2, 0, 0, 0, 0, 0},
    };
    uint8_t *bytes = zip_build(entries, 4, size);
    assert_non_null(bytes);
    free(pickle);
    return bytes;
}

static void test_bad(void **state)
{
    (void)state;
    const char *path = rig_path("bad_zip.bin");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct zip_entry entries[4];
        size_t pickle_size, size;
        uint8_t *pickle = good_pickle(&pickle_size);
        memcpy(entries, bad[i].entries, sizeof entries);
        for (size_t j = 0; j < bad[i].count; j++) {
            if (entries[j].bytes)
                continue;
            entries[j].bytes = pickle;
            entries[j].size = pickle_size;
        }
        uint8_t *bytes = zip_build(entries, bad[i].count, &size);
        assert_non_null(bytes);
        rig_save(path, bytes, size);
        rig_refused(path, bad[i].expected);
        rig_refused(path, "bad_zip.bin: ");
        free(bytes);
        free(pickle);
    }
}

static void test_prefixes(void **state)
{
    (void)state;
    const char *path = rig_path("prefix.bin");
    size_t size;
    uint8_t *bytes = good_zip(&size);
    for (size_t i = 0; i < size; i++) {
        rig_save(path, bytes, i);
        rig_refused(path, "prefix.bin: ");
    }
    rig_save(path, bytes, size);
    struct checkpoint *checkpoint;
    assert_true(checkpoint_open(path, &checkpoint, NULL));
    assert_true(checkpoint_verify(checkpoint, NULL));
    checkpoint_close(checkpoint);
    free(bytes);
}

/* Whatever is changed: refused, or a checkpoint whose tensors can be read. */
static void test_flipped_bytes(void **state)
{
    (void)state;
    const char *path = rig_path("flipped.bin");
    size_t size;
    uint8_t *bytes = good_zip(&size);
    for (size_t i = 0; i < size; i++) {
        uint8_t before = bytes[i], changes[] = {0xff, 0x01};
        for (size_t j = 0; j < 2; j++) {
            struct checkpoint *checkpoint;
            struct fault fault = {0};
            float floats[16];
            bytes[i] = before ^ changes[j];
            rig_save(path, bytes, size);
            if (!checkpoint_open(path, &checkpoint, &fault)) {
                assert_int_not_equal(fault.kind, FAULT_NONE);
                continue;
            }
            const struct checkpoint_tensor *tensor = checkpoint_tensor_at(checkpoint, 0);
            if (tensor && tensor->rows <= 4 && tensor->columns <= 4 &&
                element_info(tensor->element)->is_float)
                assert_true(
                    checkpoint_read_floats(checkpoint, tensor, 0, tensor->rows, floats, NULL));
            checkpoint_close(checkpoint);
        }
        bytes[i] = before;
    }
    free(bytes);
}

static void test_flipped_weight(void **state)
{
    (void)state;
    const char *path = rig_path("weight.bin");
    size_t size, at = 0;
    uint8_t *bytes = good_zip(&size);
    while (memcmp(bytes + at, data, sizeof data) != 0)
        at++;
    bytes[at + 5] ^= 4;
    rig_save(path, bytes, size);
    struct checkpoint *checkpoint;
    struct fault fault = {0};
    assert_true(checkpoint_open(path, &checkpoint, &fault));
    assert_false(checkpoint_verify(checkpoint, &fault));
    assert_non_null(strstr(fault.text, "weight.bin: m/data/0: CRC error"));
    checkpoint_close(checkpoint);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_flipped_bytes),
        cmocka_unit_test(test_flipped_weight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
