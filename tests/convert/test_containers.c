/* test_containers.c: the same weights as .safetensors and as a PyTorch .bin give the same GGUF
 * file, byte for byte. */
#include "checkpoint.h"
#include "convert.h"
#include "convert_rig.h"
#include "platform.h"
#include "testing.h"
#include "zip_build.h"

#include <sys/stat.h>

#define FOLDER LICHEN_TEST_OUTPUT "/containers"
#define FAMILIES LICHEN_TEST_DATA "/convert/families/"

enum { PICKLE_TENSOR = 1024 }; /* bytes of one entry, at most */

static uint8_t *bytes_of(const char *path, size_t *size)
{
    char *bytes = NULL;
    struct fault fault = {.kind = FAULT_NONE};
    if (!file_load(path, 1 << 30, &bytes, size, &fault))
        fail_msg("%s", fault.text);
    return (uint8_t *)bytes;
}

static void copy(const char *from, const char *to)
{
    size_t size;
    uint8_t *bytes = bytes_of(from, &size);
    rig_save(to, bytes, size);
    free(bytes);
}

static void put(uint8_t **dst, const char *text)
{
    size_t size = strlen(text);
    memcpy(*dst, text, size);
    *dst += size;
}

static void put_bytes(uint8_t **dst, const void *bytes, size_t size)
{
    memcpy(*dst, bytes, size);
    *dst += size;
}

static void put_u32(uint8_t **dst, uint64_t value)
{
    for (int i = 0; i < 4; i++)
        *(*dst)++ = (uint8_t)(value >> (8 * i));
}

static void put_integer(uint8_t **dst, uint64_t value) /* BININT */
{
    put(dst, "J");
    put_u32(dst, value);
}

static void put_text(uint8_t **dst, const char *text) /* BINUNICODE */
{
    put(dst, "X");
    put_u32(dst, strlen(text));
    put(dst, text);
}

/* MARK, values, TUPLE */
static void put_tuple(uint8_t **dst, const uint64_t *values, uint32_t count)
{
    put(dst, "(");
    for (uint32_t i = 0; i < count; i++)
        put_integer(dst, values[i]);
    put(dst, "t");
}

static const char *storage_of(enum element element)
{
    return element == ELEMENT_F32    ? "FloatStorage"
           : element == ELEMENT_F16  ? "HalfStorage"
           : element == ELEMENT_BF16 ? "BFloat16Storage"
           : element == ELEMENT_I32  ? "IntStorage"
                                     : "CharStorage";
}

/* NAME, _rebuild_tensor_v2(storage KEY, 0, dims, strides, False, OrderedDict()), SETITEM */
static void put_tensor(uint8_t **dst, const struct checkpoint_tensor *tensor, uint32_t key)
{
    uint64_t strides[CHECKPOINT_DIM_MAX], count = 1;
    char key_text[16], storage[64];
    for (uint32_t i = tensor->dim_count; i-- > 0; count *= tensor->dims[i])
        strides[i] = count;
    snprintf(key_text, sizeof key_text, "%u", (unsigned)key);
    snprintf(storage, sizeof storage, "ctorch\n%s\n", storage_of(tensor->element));
    put_text(dst, tensor->name);
    put(dst, "ctorch._utils\n_rebuild_tensor_v2\n((");
    put_text(dst, "storage");
    put(dst, storage);
    put_text(dst, key_text);
    put_text(dst, "cpu");
    put_integer(dst, count);
    put(dst, "tQ");
    put_integer(dst, 0);
    put_tuple(dst, tensor->dims, tensor->dim_count);
    put_tuple(dst, strides, tensor->dim_count);
    put(dst, "\x89"
             "ccollections\nOrderedDict\n)RtRs");
}

static void write_torch(const char *from, const char *to)
{
    struct checkpoint *checkpoint;
    struct fault fault = {.kind = FAULT_NONE};
    if (!checkpoint_open(from, &checkpoint, &fault))
        fail_msg("%s", fault.text);
    uint32_t count = checkpoint_tensor_count(checkpoint);
    uint8_t *pickle = malloc((size_t)(count + 1) * PICKLE_TENSOR), *dst = pickle;
    struct zip_entry *entries = calloc(count + 1, sizeof *entries);
    char(*names)[64] = calloc(count + 1, sizeof *names);
    assert_true(pickle && entries && names);
    put_bytes(&dst, "\x80\x02}", 3);
    for (uint32_t i = 0; i < count; i++) {
        const struct checkpoint_tensor *tensor = checkpoint_tensor_at(checkpoint, i);
        uint8_t *bytes = malloc(tensor->size);
        put_tensor(&dst, tensor, i);
        if (!checkpoint_read_raw(checkpoint, tensor, 0, tensor->rows, bytes, tensor->size, &fault))
            fail_msg("%s", fault.text);
        snprintf(names[i], sizeof names[i], "archive/data/%u", (unsigned)i);
        entries[i + 1] = (struct zip_entry){names[i], bytes, tensor->size, 0, 0x800, 0, 0, 0};
    }
    put(&dst, ".");
    entries[0] =
        (struct zip_entry){"archive/data.pkl", pickle, (size_t)(dst - pickle), 0, 0x800, 0, 0, 0};
    size_t size;
    uint8_t *zip = zip_build(entries, count + 1, &size);
    rig_save(to, zip, size);
    free(zip);
    for (uint32_t i = 0; i < count; i++)
        free((void *)(uintptr_t)entries[i + 1].bytes);
    free(names);
    free(entries);
    free(pickle);
    checkpoint_close(checkpoint);
}

static void convert(const char *folder, const char *preset, const char *output)
{
    struct fault fault = {.kind = FAULT_NONE};
    struct source_options naming = {.gptq_zero_wrap = 16, .name = "model"};
    struct source *source = NULL;
    struct recipe *recipe = NULL;
    if (!source_open(folder, &naming, &source, &fault) ||
        !recipe_create(source, preset, false, &recipe, &fault))
        fail_msg("%s", fault.text);
    struct convert_options options = {
        .output = output, .source = source, .recipe = recipe, .force = true, .threads = 2};
    if (!convert_run(&options, NULL, &fault))
        fail_msg("%s", fault.text);
    recipe_destroy(recipe);
    source_close(source);
}

static void compare(const char *family, const char *preset)
{
    char path[4096];
    size_t size, other_size;
    snprintf(path, sizeof path, FAMILIES "%s/config.json", family);
    copy(path, FOLDER "/safetensors/config.json");
    copy(path, FOLDER "/bin/config.json");
    snprintf(path, sizeof path, FAMILIES "%s/model.safetensors", family);
    copy(path, FOLDER "/safetensors/model.safetensors");
    write_torch(path, FOLDER "/bin/pytorch_model.bin");
    convert(FOLDER "/safetensors", preset, FOLDER "/safetensors.gguf");
    convert(FOLDER "/bin", preset, FOLDER "/bin.gguf");
    uint8_t *bytes = bytes_of(FOLDER "/safetensors.gguf", &size);
    uint8_t *other = bytes_of(FOLDER "/bin.gguf", &other_size);
    assert_int_equal(size, other_size);
    assert_memory_equal(bytes, other, size);
    assert_memory_equal(bytes, "GGUF", 4);
    free(other);
    free(bytes);
}

static void test_bin_and_safetensors(void **state)
{
    (void)state;
    static const char *const families[] = {"qwen2", "chatglm", "gpt2", "awq", "chatglm-int4"};
    mkdir(FOLDER, 0700);
    mkdir(FOLDER "/safetensors", 0700);
    mkdir(FOLDER "/bin", 0700);
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        compare(families[i], "f16");
        compare(families[i], "q8_0");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bin_and_safetensors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
