/* test_gpu_cache.c: the pipeline cache file: written, used again, ignored when anything in it is
 * not as it was written. */
#include "gpu_fixture.h"
#include "platform.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

enum { PATH_SIZE = 4096 };

static const char folder[] = LICHEN_TEST_OUTPUT "/cache_test/nested";

/* The only file of the folder; false when there is none. */
static bool find_file(char path[PATH_SIZE])
{
    DIR *listing = opendir(folder);
    bool found = false;
    if (!listing)
        return false;
    for (struct dirent *entry; (entry = readdir(listing)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        assert_false(found);
        found = true;
        snprintf(path, PATH_SIZE, "%s/%s", folder, entry->d_name);
    }
    closedir(listing);
    return found;
}

static int remove_file(void **state)
{
    char path[PATH_SIZE];
    (void)state;
    if (find_file(path))
        unlink(path);
    return 0;
}

/* Opens, builds kernels with factors 1..count, closes; the state after opening goes to text. */
static void use_cache(uint32_t count, char text[128])
{
    struct gpu_options options = {.cache_folder = folder, .validate = true};
    struct fault fault = {0};
    struct gpu_device *device = fixture_open(&options);
    snprintf(text, 128, "%s", gpu_cache_state(device));
    for (uint32_t i = 1; i <= count; i++) {
        struct gpu_kernel *kernel = NULL;
        struct gpu_kernel_request request = scale_request(&shader_TEST_SCALE, i);
        assert_ok(gpu_kernel_get(device, &request, &kernel, &fault), fault);
    }
    fixture_close(device);
}

static void load_file(const char *path, char **bytes, size_t *size)
{
    struct fault fault = {0};
    assert_ok(file_load(path, 1 << 28, bytes, size, &fault), fault);
}

static void test_written_and_loaded(void **state)
{
    (void)state;
    char text[128];
    char path[PATH_SIZE];
    char *first = NULL;
    char *second = NULL;
    size_t first_size = 0;
    size_t second_size = 0;
    use_cache(0, text);
    assert_string_equal(text, "no cache file");
    assert_false(find_file(path)); /* nothing built, nothing written */
    use_cache(2, text);
    assert_true(find_file(path));
    load_file(path, &first, &first_size);
    use_cache(2, text);
    print_message("%s\n", text);
    assert_non_null(strstr(text, "loaded "));
    load_file(path, &second, &second_size);
    assert_int_equal(first_size, second_size);
    assert_memory_equal(first, second, first_size);
    free(first);
    free(second);
}

static void write_file(const char *path, const char *bytes, size_t size)
{
    struct fault fault = {0};
    assert_ok(file_save(path, bytes, size, 0600, &fault), fault);
}

/* Every byte of the header, every cut of it, and some of the data. */
static void test_damaged_ignored(void **state)
{
    (void)state;
    char text[128];
    char path[PATH_SIZE];
    char *bytes = NULL;
    size_t size = 0;
    use_cache(1, text);
    assert_true(find_file(path));
    load_file(path, &bytes, &size);
    for (size_t at = 0; at < size; at += at < 80 ? 9 : size / 5) {
        bytes[at] = (char)(bytes[at] ^ 0x41);
        write_file(path, bytes, size);
        bytes[at] = (char)(bytes[at] ^ 0x41);
        use_cache(0, text);
        if (!strstr(text, "ignored: "))
            fail_msg("byte %zu of %zu changed: %s", at, size, text);
        write_file(path, bytes, at);
        use_cache(0, text);
        if (!strstr(text, "ignored: "))
            fail_msg("cut to %zu of %zu: %s", at, size, text);
    }
    use_cache(1, text); /* is written anew */
    use_cache(0, text);
    assert_non_null(strstr(text, "loaded "));
    free(bytes);
}

static void test_not_writable(void **state)
{
    (void)state;
    struct gpu_options options = {.cache_folder = "/dev/null/folder"};
    struct fault fault = {0};
    struct gpu_kernel *kernel = NULL;
    struct gpu_kernel_request request = scale_request(&shader_TEST_SCALE, 1);
    struct gpu_device *device = fixture_open(&options);
    assert_ok(gpu_cache_save(device, &fault), fault); /* nothing built */
    assert_ok(gpu_kernel_get(device, &request, &kernel, &fault), fault);
    assert_false(gpu_cache_save(device, &fault));
    assert_int_equal(fault.kind, FAULT_FILE);
    fixture_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_written_and_loaded, remove_file),
        cmocka_unit_test_setup(test_damaged_ignored, remove_file),
        cmocka_unit_test(test_not_writable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
