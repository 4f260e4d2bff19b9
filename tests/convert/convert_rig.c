/* convert_rig.c: what the tests of convert/ share. */
#include "convert_rig.h"
#include "platform.h"
#include "testing.h"

const char *rig_path(const char *name)
{
    static char paths[4][4096];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", LICHEN_TEST_OUTPUT, name);
    return path;
}

void rig_save(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

uint8_t *rig_safetensors(const char *header, size_t data_size, uint64_t header_size, size_t *size)
{
    size_t text_size = strlen(header);
    uint64_t claimed = header_size ? header_size : text_size;
    *size = 8 + text_size + data_size;
    uint8_t *bytes = calloc(1, *size);
    assert_non_null(bytes);
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(claimed >> (8 * i));
    memcpy(bytes + 8, header, text_size);
    return bytes;
}

/* BININT */
static uint8_t *put_integer(uint8_t *dst, uint32_t value)
{
    *dst++ = 'J';
    for (int i = 0; i < 4; i++)
        *dst++ = (uint8_t)(value >> (8 * i));
    return dst;
}

static uint8_t *put_bytes(uint8_t *dst, const char *bytes, size_t size)
{
    memcpy(dst, bytes, size);
    return dst + size;
}

#define PUT(dst, text) put_bytes(dst, text, sizeof text - 1)

uint8_t *rig_pickle(const char *name, uint32_t count, uint32_t offset, const uint32_t dims[2],
                    const uint32_t strides[2], size_t *size)
{
    size_t name_size = strlen(name);
    uint8_t *bytes = malloc(512 + name_size), *dst = bytes;
    assert_non_null(bytes);
    dst = PUT(dst, "\x80\x02}X");
    for (int i = 0; i < 4; i++)
        *dst++ = (uint8_t)(name_size >> (8 * i));
    dst = put_bytes(dst, name, name_size);
    dst = PUT(dst, "ctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagectorch\nHalfStorage\n"
                   "X\1\0\0\0"
                   "0X\3\0\0\0cpu");
    dst = put_integer(dst, count);
    dst = PUT(dst, "tQ");
    dst = put_integer(dst, offset);
    dst = put_integer(put_integer(dst, dims[0]), dims[1]);
    dst = PUT(dst, "\x86");
    dst = put_integer(put_integer(dst, strides[0]), strides[1]);
    dst = PUT(dst, "\x86\x89"
                   "ccollections\nOrderedDict\n)RtRs.");
    *size = (size_t)(dst - bytes);
    return bytes;
}

void rig_refused(const char *path, const char *expected)
{
    struct checkpoint *checkpoint;
    struct fault fault = {0};
    if (checkpoint_open(path, &checkpoint, &fault))
        fail_msg("accepted, expected '%s'", expected);
    assert_null(checkpoint);
    assert_int_not_equal(fault.kind, FAULT_NONE);
    if (!strstr(fault.text, expected))
        fail_msg("'%s' does not say '%s'", fault.text, expected);
    assert_false(checkpoint_open(path, &checkpoint, NULL));
}
