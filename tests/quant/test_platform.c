/* test_platform.c: files, whole-or-nothing saving, folders, machine. */
#include "testing.h"

#include "platform.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[512]; /* fresh for each test */

static int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "%s/platform-XXXXXX", LICHEN_TEST_OUTPUT);
    return mkdtemp(folder) ? 0 : -1;
}

static const char *in_folder(const char *name)
{
    static char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int entries(void)
{
    int count = 0;
    DIR *listing = opendir(folder);
    for (struct dirent *entry; (entry = readdir(listing));)
        count += entry->d_name[0] != '.';
    closedir(listing);
    return count;
}

static int teardown(void **state)
{
    (void)state;
    char command[600];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static void assert_fault(const struct fault *fault, enum fault_kind kind, const char *text)
{
    assert_int_equal(fault->kind, kind);
    if (!strstr(fault->text, text))
        fail_msg("fault '%s' does not say '%s'", fault->text, text);
}

static void test_save_and_read(void **state)
{
    (void)state;
    struct fault fault = {0};
    const char *path = in_folder("a.txt");
    assert_true(file_save(path, "hello", 5, 0600, &fault));
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_true(file_save(path, "world!", 6, 0600, &fault)); /* replaces */
    assert_int_equal(entries(), 1);

    struct file *file;
    char bytes[8] = {0};
    assert_true(file_open(path, &file, &fault));
    assert_int_equal(file_size(file), 6);
    assert_string_equal(file_path(file), path);
    assert_true(file_read(file, 2, bytes, 4, &fault));
    assert_string_equal(bytes, "rld!");
    assert_true(file_read(file, 6, bytes, 0, &fault));
    assert_false(file_read(file, 2, bytes, 5, &fault));
    assert_fault(&fault, FAULT_FILE, "the file has 6");
    fault = (struct fault){0};
    assert_false(file_read(file, UINT64_MAX, bytes, 2, &fault));
    file_close(file);
    file_close(NULL);
}

static void test_save_empty(void **state)
{
    (void)state;
    char *bytes;
    size_t size = 1;
    assert_true(file_save(in_folder("empty"), NULL, 0, 0600, NULL));
    assert_true(file_load(in_folder("empty"), 0, &bytes, &size, NULL));
    assert_int_equal(size, 0);
    assert_string_equal(bytes, "");
    free(bytes);
}

static void test_links(void **state)
{
    (void)state;
    char target[16], small[4];
    struct file *file;
    struct fault fault = {0};
    assert_int_equal(symlink("nowhere", in_folder("link")), 0);
    assert_true(path_is_broken_link(in_folder("link")));
    assert_true(path_link(in_folder("link"), target, sizeof target));
    assert_string_equal(target, "nowhere");
    assert_false(path_link(in_folder("link"), small, sizeof small));
    assert_string_equal(small, "");
    assert_false(file_open(in_folder("link"), &file, &fault));
    assert_fault(&fault, FAULT_FILE, "is a link to nowhere, which is not there");
    assert_false(path_is_broken_link(in_folder("none")) || path_is_broken_link(folder));
    assert_false(path_link(folder, target, sizeof target));
    char whole[1024];
    assert_true(path_whole(folder, whole, sizeof whole));
    assert_true(whole[0] == '/' && path_same(whole, folder));
    assert_false(path_whole(folder, small, sizeof small));
    assert_false(path_whole(in_folder("none"), whole, sizeof whole));
    unlink(in_folder("link"));
}

static void test_check_output(void **state)
{
    (void)state;
    struct fault fault = {0};
    assert_true(path_check_output(in_folder("new"), &fault));
    assert_true(path_check_output("new", &fault) && path_check_output("/dev/null", &fault));
    assert_false(path_check_output(folder, &fault));
    assert_fault(&fault, FAULT_ARGUMENT, "is a folder; name a file in it");
    fault = (struct fault){0};
    assert_false(path_check_output(in_folder("none/new"), &fault));
    assert_fault(&fault, FAULT_FILE, "/none does not exist; create that folder first");
    fault = (struct fault){0};
    assert_false(path_check_output("/dev/null/new", &fault));
    assert_fault(&fault, FAULT_FILE, "/dev/null is a file, not a folder");
    if (geteuid() == 0)
        return; /* root may write everywhere but on a file system that is read-only */
    assert_int_equal(chmod(folder, 0500), 0);
    fault = (struct fault){0};
    assert_false(path_check_output(in_folder("new"), &fault));
    assert_fault(&fault, FAULT_FILE, "cannot be written in its folder: Permission denied");
    assert_int_equal(chmod(folder, 0700), 0);
}

static void test_truncated_while_open(void **state)
{
    (void)state;
    struct fault fault = {0};
    const char *path = in_folder("a");
    struct file *file;
    char bytes[100];
    static const char data[100];
    assert_true(file_save(path, data, sizeof data, 0600, &fault));
    assert_true(file_open(path, &file, &fault));
    assert_int_equal(truncate(path, 40), 0);
    assert_false(file_read(file, 0, bytes, 100, &fault));
    assert_fault(&fault, FAULT_FILE, "ends at byte 40, it had 100 when opened");
    file_close(file);
}

static void test_open_refuses(void **state)
{
    (void)state;
    struct file *file;
    struct fault fault = {0};
    assert_false(file_open(in_folder("none"), &file, &fault));
    assert_fault(&fault, FAULT_FILE, "none: cannot open: No such file");
    assert_null(file);
    fault = (struct fault){0};
    assert_false(file_open(folder, &file, &fault));
    assert_fault(&fault, FAULT_FILE, "it is a folder");
    fault = (struct fault){0};
    assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);
    assert_false(file_open(in_folder("fifo"), &file, &fault)); /* and does not wait for a writer */
    assert_fault(&fault, FAULT_FILE, "not a regular file");
    fault = (struct fault){0};
    assert_false(file_open("/dev/zero", &file, &fault));
    assert_fault(&fault, FAULT_FILE, "not a regular file");
}

static void test_load_limit(void **state)
{
    (void)state;
    struct fault fault = {0};
    char *bytes;
    size_t size;
    assert_true(file_save(in_folder("a"), "0123456789", 10, 0600, &fault));
    assert_true(file_load(in_folder("a"), 10, &bytes, &size, &fault));
    assert_int_equal(size, 10);
    assert_string_equal(bytes, "0123456789");
    free(bytes);
    assert_false(file_load(in_folder("a"), 9, &bytes, &size, &fault));
    assert_fault(&fault, FAULT_FILE, "more than the 9 allowed");
    assert_null(bytes);
}

/* The disk is full at the reservation: RLIMIT_FSIZE stands for it. */
static void test_save_beyond_limit(void **state)
{
    (void)state;
    struct fault fault = {0};
    struct rlimit before;
    static char data[100000];
    assert_true(file_save(in_folder("a"), "old", 3, 0600, &fault));
    getrlimit(RLIMIT_FSIZE, &before);
    struct rlimit small = {.rlim_cur = 4096, .rlim_max = before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    bool saved = file_save(in_folder("a"), data, sizeof data, 0600, &fault);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_false(saved);
    assert_fault(&fault, FAULT_FILE, "a: ");
    assert_int_equal(entries(), 1);
    char *bytes;
    size_t size;
    assert_true(file_load(in_folder("a"), 100, &bytes, &size, NULL));
    assert_string_equal(bytes, "old");
    free(bytes);
}

static void test_save_refuses(void **state)
{
    (void)state;
    struct fault fault = {0};
    assert_false(file_save(in_folder("none/a"), "x", 1, 0600, &fault));
    assert_fault(&fault, FAULT_FILE, "none/a: cannot create a part file beside it");
    fault = (struct fault){0};
    assert_int_equal(mkdir(in_folder("taken"), 0700), 0);
    assert_false(file_save(in_folder("taken"), "x", 1, 0600, &fault));
    assert_fault(&fault, FAULT_FILE, "cannot rename");
    assert_int_equal(entries(), 1);
}

/* What a killed run with our process id left behind neither stops us nor is touched. */
static void test_save_beside_stale_part(void **state)
{
    (void)state;
    char stale[64];
    snprintf(stale, sizeof stale, "a.part-%ld", (long)getpid());
    FILE *file = fopen(in_folder(stale), "w");
    assert_non_null(file);
    fputs("stale", file);
    fclose(file);
    assert_true(file_save(in_folder("a"), "new", 3, 0600, NULL));
    char *bytes;
    size_t size;
    assert_true(file_load(in_folder(stale), 100, &bytes, &size, NULL));
    assert_string_equal(bytes, "stale");
    free(bytes);
    assert_int_equal(entries(), 2);
}

static void test_save_in_current_folder(void **state)
{
    (void)state;
    char before[1024];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(folder), 0);
    bool saved = file_save("a", "x", 1, 0600, NULL);
    assert_int_equal(chdir(before), 0);
    assert_true(saved);
    assert_true(test_file_exists(in_folder("a")));
}

static void test_folders(void **state)
{
    (void)state;
    struct fault fault = {0};
    struct stat status;
    assert_true(folder_create(in_folder("x/y//z/"), &fault));
    assert_true(stat(in_folder("x/y/z"), &status) == 0 && S_ISDIR(status.st_mode));
    assert_true(folder_create(in_folder("x/y/z"), &fault));
    assert_true(folder_create("/", &fault));
    assert_true(file_save(in_folder("file"), "x", 1, 0600, NULL));
    assert_false(folder_create(in_folder("file/below"), &fault));
    assert_fault(&fault, FAULT_FILE, "cannot create the folder");
    fault = (struct fault){0};
    assert_false(folder_create("", &fault));
}

static void test_machine(void **state)
{
    (void)state;
    uint64_t before = clock_ns();
    assert_true(clock_ns() >= before && before > 0);
    assert_true(processor_count() >= 1);
    assert_true(memory_available() > 1 << 20); /* Linux */
}

static void put(const char *name, const char *text)
{
    char path[1024], *slash;
    snprintf(path, sizeof path, "%s", in_folder(name));
    slash = strrchr(path, '/');
    *slash = 0;
    assert_true(folder_create(path, NULL));
    *slash = '/';
    assert_true(file_save(path, text, strlen(text), 0600, NULL));
}

/* Limits of the process's group and of those above it count, less what could be given back. */
static void test_memory_of_groups(void **state)
{
    (void)state;
    char proc[600], groups[600];
    snprintf(proc, sizeof proc, "%s/proc", folder);
    snprintf(groups, sizeof groups, "%s/groups", folder);
    assert_int_equal(memory_available_in(proc, groups), 0);
    put("proc/meminfo", "MemTotal: 9 kB\nMemAvailable:   1000 kB\n");
    assert_int_equal(memory_available_in(proc, groups), 1024000);
    put("proc/self/cgroup", "1:name=systemd:/elsewhere\n0::/a/b\n");
    put("groups/memory.max", "100\n"); /* no memory.current: no group that counts */
    put("groups/a/b/memory.max", "max\n");
    put("groups/a/b/memory.current", "70\n");
    put("groups/a/memory.max", "900000\n");
    put("groups/a/memory.current", "500000\n");
    assert_int_equal(memory_available_in(proc, groups), 400000);
    put("groups/a/memory.stat", "anon 5\ninactive_file 300000\nfile 4\n");
    assert_int_equal(memory_available_in(proc, groups), 700000);
    put("groups/a/b/memory.max", "50\n");
    assert_int_equal(memory_available_in(proc, groups), 0);
    put("groups/a/b/memory.max", "100\n");
    assert_int_equal(memory_available_in(proc, groups), 30);
    put("proc/self/cgroup", "0::/\n");
    put("groups/memory.current", "40\n");
    assert_int_equal(memory_available_in(proc, groups), 60);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_save_and_read),
        TEST(test_save_empty),
        TEST(test_links),
        TEST(test_check_output),
        TEST(test_truncated_while_open),
        TEST(test_open_refuses),
        TEST(test_load_limit),
        TEST(test_save_beyond_limit),
        TEST(test_save_refuses),
        TEST(test_save_beside_stale_part),
        TEST(test_save_in_current_folder),
        TEST(test_folders),
        TEST(test_machine),
        TEST(test_memory_of_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
