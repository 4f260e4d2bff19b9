/* test_published.c: folders and files as newcomers give them: each is refused in one line that
 * names it, says what it is, and what to give instead. */
#include "folder_rig.h"
#include "platform.h"
#include "source_rig.h"
#include "testing.h"

#include <stdarg.h>
#include <unistd.h>

static const char lfs[] = "version https://git-lfs.github.com/spec/v1\n"
                          "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e"
                          "2393\nsize 12345\n";

static const char *below(const char *folder, const char *name)
{
    static char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void put(const char *folder, const char *name, const char *text)
{
    rig_save(below(folder, name), text, strlen(text));
}

/* The folder without the names of earlier rows: of one test each. */
static const char *make(const char *name)
{
    const char *folder = rig_path(name);
    assert_true(folder_create(folder, NULL));
    return folder;
}

/* A pointer in the place of each small file. */
static void test_pointers(void **state)
{
    static const char *const names[] = {
        "config.json",       "generation_config.json", "quantize_config.json",
        "tokenizer.json",    "tokenizer.model",        "tokenizer.tiktoken",
        "vocab.json",        "tokenizer_config.json",  "special_tokens_map.json",
        "ice_text.model",    "qwen.tiktoken",          "model.safetensors.index.json",
        "pytorch_model.bin",
    };
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char expected[128];
        const char *folder = folder_write("pointers", folder_config, NULL);
        if (strstr(names[i], "index") || strstr(names[i], ".bin"))
            assert_int_equal(unlink(below(folder, "model.safetensors")), 0);
        if (strstr(names[i], "special")) /* read when there is a tokenizer */
            put(folder, "tokenizer.json", "{}");
        snprintf(expected, sizeof expected, "pointers/%s: is a git-lfs pointer, not the file",
                 names[i]);
        put(folder, names[i], lfs);
        rig_source_refused(folder, expected);
        put(folder, names[i], "");
        snprintf(expected, sizeof expected, "pointers/%s: is an empty file", names[i]);
        rig_source_refused(folder, expected);
        unlink(below(folder, "tokenizer.json"));
        unlink(below(folder, names[i]));
    }
}

/* The Hub's cache consists of links; a download that stopped leaves some that lead to nothing. */
static void test_broken_links(void **state)
{
    static const char *const names[] = {"config.json", "model.safetensors", "tokenizer.json",
                                        "tokenizer_config.json", "generation_config.json"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char expected[128];
        const char *folder = folder_write("links", folder_config, NULL);
        if (strcmp(names[i], "tokenizer_config.json") == 0)
            put(folder, "tokenizer.json", "{}");
        unlink(below(folder, names[i]));
        assert_int_equal(symlink("../../blobs/0123", below(folder, names[i])), 0);
        snprintf(expected, sizeof expected,
                 "links/%s: is a link to ../../blobs/0123, which is not there", names[i]);
        rig_source_refused(folder, expected);
        if (strcmp(names[i], "model.safetensors") == 0)
            rig_source_refused(below(folder, names[i]), expected);
        unlink(below(folder, names[i]));
        unlink(below(folder, "tokenizer.json"));
    }
}

static void test_no_config(void **state)
{
    (void)state;
    const char *folder = make("foreign");
    rig_source_refused(folder, "foreign: an empty folder");
    put(folder, "x.incomplete", "x");
    rig_source_refused(folder, "foreign: the download did not finish: x.incomplete");
    rig_source_refused(below(folder, "x.incomplete"), "x.incomplete: is a part of a file");
    unlink(below(folder, "x.incomplete"));
    put(folder, "model.safetensors", "x");
    rig_source_refused(folder, "foreign: no config.json there; weights alone");
    unlink(below(folder, "model.safetensors"));
    put(folder, "adapter_config.json", "{}");
    rig_source_refused(folder, "foreign: is an adapter (LoRA)");
    unlink(below(folder, "adapter_config.json"));
    put(folder, "params.json", "{}");
    rig_source_refused(folder, "foreign: params.json, but no config.json");
    unlink(below(folder, "params.json"));
    put(folder, "m.gguf", "GGUF");
    rig_source_refused(folder, "is a folder with a GGUF file; give the file: ");
    rig_source_refused(folder, "/foreign/m.gguf");
    put(folder, "b.gguf", "GGUF");
    rig_source_refused(folder, "is a folder with 2 GGUF files; give one of them");
    rig_source_refused(folder, "/foreign/b.gguf");
    unlink(below(folder, "m.gguf"));
    unlink(below(folder, "b.gguf"));
    make("foreign/inner");
    put(folder, "inner/config.json", folder_config);
    rig_source_refused(folder, "foreign: no config.json there; give the folder in it: ");
    rig_source_refused(folder, "/foreign/inner");
    unlink(below(folder, "inner/config.json"));
    rmdir(below(folder, "inner"));
    rmdir(folder);
}

static void test_cache(void **state)
{
    (void)state;
    make("hub/models--a--b/refs");
    make("hub/models--a--b/snapshots");
    const char *hub = rig_path("hub");
    const char *expected = "hub/models--a--b: is a model's place in the Hugging Face cache, but no";
    rig_source_refused(hub, expected);
    rig_source_refused(below(hub, "models--a--b"), expected);
    make("hub/models--a--b/snapshots/111");
    make("hub/models--a--b/snapshots/222");
    put(hub, "models--a--b/snapshots/111/config.json", folder_config);
    put(hub, "models--a--b/snapshots/222/config.json", folder_config);
    rig_source_refused(below(hub, "models--a--b"), "hub/models--a--b/snapshots/111");
    put(hub, "models--a--b/refs/main", "222\n");
    rig_source_refused(below(hub, "models--a--b"), "hub/models--a--b/snapshots/222");
    rig_source_refused(hub, "hub/models--a--b/snapshots/222");
    put(hub, "models--a--b/refs/main", "../..");
    rig_source_refused(hub, "hub/models--a--b/snapshots/111");
    rig_source_refused(below(hub, "models--a--b/snapshots"), "give the folder in it: ");
    unlink(below(hub, "models--a--b/refs/main"));
    unlink(below(hub, "models--a--b/snapshots/111/config.json"));
    unlink(below(hub, "models--a--b/snapshots/222/config.json"));
    rmdir(below(hub, "models--a--b/snapshots/111"));
    rmdir(below(hub, "models--a--b/snapshots/222"));
}

static void test_no_weights(void **state)
{
    static const struct {
        const char *name, *expected;
    } rows[] = {
        {"notes.txt", "weightless: no model.safetensors or pytorch_model.bin there, nor an index "
                      "of one; download the weights, too"},
        {"model-00001-of-00002.safetensors",
         "weightless: has shards of a checkpoint (1, such as "
         "model-00001-of-00002.safetensors), but not the index"},
        {"pytorch_model-00002-of-00002.bin",
         "pytorch_model-00002-of-00002.bin), but not the index"},
        {"model.safetensors.incomplete", "weightless: the download did not finish: model.safe"},
        {"weights.safetensors", "weightless/weights.safetensors"},
        {"tf_model.h5", "tf_model.h5 is of a form that is not looked for"},
        {"m.gguf", "is a folder with a GGUF file; give the file: "},
    };
    (void)state;
    const char *folder = folder_write("weightless", folder_config, NULL);
    unlink(below(folder, "model.safetensors"));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        put(folder, rows[i].name, "x");
        rig_source_refused(folder, rows[i].expected);
        unlink(below(folder, rows[i].name));
    }
    make("weightless/model.safetensors");
    rig_source_refused(folder, "model.safetensors: cannot open: it is a folder");
    rmdir(below(folder, "model.safetensors"));
}

static void test_files(void **state)
{
    (void)state;
    const char *folder = make("alone");
    rig_source_refused(below(folder, "none"), "no such file or folder; expected is a folder of a ");
    put(folder, "story.txt", "once upon a time");
    rig_source_refused(below(folder, "story.txt"), "story.txt: byte 0: a header of ");
    put(folder, "m.gguf", lfs);
    rig_source_refused(below(folder, "m.gguf"), "m.gguf: is a git-lfs pointer");
    size_t size;
    uint8_t *bytes = rig_safetensors("{}", 0, 0, &size);
    rig_save(below(folder, "w.safetensors"), bytes, size);
    free(bytes);
    rig_source_refused(below(folder, "w.safetensors"), "w.safetensors: no config.json beside it");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pointers),   cmocka_unit_test(test_broken_links),
        cmocka_unit_test(test_no_config),  cmocka_unit_test(test_cache),
        cmocka_unit_test(test_no_weights), cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
