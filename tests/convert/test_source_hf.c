/* test_source_hf.c: real published checkpoints through source_hf.c, row by row, and what it does
 * with those that it cannot convert. */
#include "folder_rig.h"
#include "gguf.h"
#include "source_rig.h"
#include "run.h"

#include <unistd.h>

#define MODELS LICHEN_SHARED "/golden/models/"
#define STORIES MODELS "stories260K/"
#define SORT MODELS "gpt-nano-sort/"

/* Every tensor of the GGUF file must come out of the source bit for bit. */
static void test_stories_rows(void **state)
{
    (void)state;
    struct gguf *gguf;
    if (!test_file_exists(STORIES "derived-hf/config.json"))
        SKIP("%s is not there", STORIES "derived-hf");
    assert_true(gguf_open(STORIES "derived-stories260K-f32.gguf", &gguf, NULL));
    struct source *source = rig_source(STORIES "derived-hf");
    assert_string_equal(source_architecture(source), "llama");
    assert_int_equal(source_layer_count(source), 5);
    assert_int_equal(source_gqa(source), 2);
    assert_int_equal(source_tensor_count(source), gguf_tensor_count(gguf));
    for (uint32_t i = 0; i < gguf_tensor_count(gguf); i++) {
        const struct gguf_tensor *tensor = gguf_tensor_at(gguf, i);
        uint32_t index = rig_tensor(source, tensor->name);
        float *expected = malloc(tensor->size), *rows = rig_rows(source, index);
        assert_non_null(expected);
        assert_true(gguf_read(gguf, tensor, 0, expected, tensor->size, NULL));
        assert_int_equal(source_tensor_at(source, index)->dims[0], tensor->dims[0]);
        assert_int_equal(source_tensor_at(source, index)->rows, tensor->rows);
        assert_memory_equal(rows, expected, tensor->size);
        free(expected);
        free(rows);
    }
    source_close(source);
    gguf_close(gguf);
}

/* Any range of rows is that part of the whole. */
static void check_ranges(const char *folder)
{
    struct source *source = rig_source(folder);
    for (uint32_t i = 0; i < source_tensor_count(source); i++) {
        const struct source_tensor *tensor = source_tensor_at(source, i);
        float *whole = rig_rows(source, i);
        float *part = malloc(tensor->rows * tensor->dims[0] * sizeof *part);
        assert_non_null(part);
        uint64_t seed = 7 + i;
        for (int k = 0; k < 8; k++) {
            uint64_t first = test_random(&seed) % tensor->rows;
            uint64_t count = 1 + test_random(&seed) % (tensor->rows - first);
            assert_true(source_read(source, i, first, count, part, NULL));
            assert_memory_equal(part, whole + first * tensor->dims[0],
                                count * tensor->dims[0] * sizeof *part);
        }
        free(part);
        free(whole);
    }
    source_close(source);
}

static void test_ranges(void **state)
{
    (void)state;
    static const char *const folders[] = {
        STORIES "derived-hf",
        SORT "derived-hf",
        LICHEN_SHARED "/golden/tiny/tiny-moss",
        LICHEN_SHARED "/golden/tiny/tiny-moss-gptq-int4",
        LICHEN_SHARED "/golden/tiny/tiny-moss-gptq-int8",
    };
    if (!test_file_exists(STORIES "derived-hf/config.json"))
        SKIP("%s is not there", MODELS);
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
        check_ranges(folders[i]);
}

static void sort_case(struct exec *exec, const json_t *item)
{
    int32_t prompt[8], found[8];
    const json_t *prompt_ids = json_object_get(item, "prompt_ids");
    const json_t *greedy = json_object_get(item, "greedy_ids");
    uint32_t count = (uint32_t)json_array_size(prompt_ids);
    assert_true(count == 6 && json_array_size(greedy) == 6);
    for (uint32_t i = 0; i < count; i++)
        prompt[i] = (int32_t)json_integer_value(json_array_get(prompt_ids, i));
    run_greedy(exec, prompt, count, 6, found);
    for (uint32_t i = 0; i < 6; i++)
        assert_int_equal(found[i], json_integer_value(json_array_get(greedy, i)));
}

/* Conv1D transposed, learned positions, an untied head: the network sorts. */
static void test_sort(void **state)
{
    (void)state;
    struct run run;
    char path[1024];
    if (!test_file_exists(SORT "derived-hf/config.json"))
        SKIP("%s is not there", SORT "derived-hf");
    struct source *source = rig_source(SORT "derived-hf");
    snprintf(path, sizeof path, LICHEN_TEST_OUTPUT "/sort-%ld.gguf", (long)getpid());
    rig_write(source, false, path);
    source_close(source);
    const struct run_options options = {
        .context = 11, .batch_max = 11, .outputs_max = 11, .threads = 1, .kv = KV_F32};
    run_open(&run, path, &options);
    remove(path);
    json_t *root = json_load_file(SORT "golden_greedy.json", 0, NULL), *item;
    size_t i;
    assert_non_null(root);
    json_array_foreach(json_object_get(root, "cases"), i, item)
    {
        sort_case(run.exec, item);
    }
    assert_true(i >= 30);
    json_decref(root);
    run_close(&run);
}

static void save_beside(const char *folder, const char *name, const char *text)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    rig_save(path, text, strlen(text));
}

/* The metadata of a source as a reader finds it. */
static struct gguf *metadata_of(const struct source *source)
{
    struct gguf_writer *writer;
    struct gguf *gguf = NULL;
    struct fault fault = {0};
    uint8_t *bytes = NULL;
    size_t size;
    assert_true(gguf_writer_create(&writer, NULL));
    if (!source_put_metadata(source, writer, &fault) ||
        !gguf_writer_header(writer, &bytes, &size, &fault) ||
        !gguf_parse(bytes, size, size, &gguf, &fault))
        fail_msg("%s", fault.text);
    gguf_writer_destroy(writer);
    free(bytes);
    return gguf;
}

/* value: as gguf_format writes it */
static void check_entry(const struct gguf *gguf, const char *key, const char *value)
{
    const struct gguf_entry *entry = gguf_entry_find(gguf, key);
    char text[256] = "";
    if (value && !entry)
        fail_msg("no %s", key);
    for (uint64_t i = 0; entry && i < entry->count; i++) {
        size_t used = strlen(text);
        if (i > 0 && used + 1 < sizeof text)
            text[used++] = ' ';
        gguf_format(gguf, entry, i, text + used, sizeof text - used);
    }
    if (strcmp(text, value ? value : "") != 0)
        fail_msg("%s is '%s', expected '%s'", key, text, value ? value : "nothing");
}

static const char card[] = "---\nlicense: apache-2.0 \nlicense_name: \"some name\"\n"
                           "language:\n- en\n- zh\ntags:\n- chat\nx: [a]\n---\nlanguage: fr\n";

static void test_metadata(void **state)
{
    (void)state;
    char *config = folder_config_with("\"num_key_value_heads\": 1", "\"head_dim\": 6");
    struct folder_tensor changes[] = {
        {"model.layers.0.self_attn.q_proj.weight", "F16", "[12, 8]", 0},
        {"model.layers.0.self_attn.k_proj.weight", "F16", "[12, 8]", 0},
        {"model.layers.0.self_attn.v_proj.weight", "F16", "[12, 8]", 0},
        {"model.layers.0.self_attn.o_proj.weight", "F16", "[8, 12]", 0},
        {NULL, NULL, NULL, 0}};
    const char *folder = folder_write("metadata", config, changes);
    save_beside(folder, "README.md", card);
    save_beside(folder, "generation_config.json",
                "{\"temperature\": 0.7, \"top_k\": 20, \"top_p\": 0.8, \"min_p\": -1, "
                "\"repetition_penalty\": 1.05, \"eos_token_id\": [2, 3]}");
    struct source *source = rig_source(folder);
    struct gguf *gguf = metadata_of(source);
    static const struct {
        const char *key, *value;
    } entries[] = {
        {"general.architecture", "llama"},
        {"general.type", "model"},
        {"general.name", "Metadata"},
        {"general.basename", NULL},
        {"general.size_label", "0.8K"},
        {"general.license", "apache-2.0"},
        {"general.license.name", "some name"},
        {"general.license.link", NULL},
        {"general.languages", "en zh"},
        {"general.sampling.temp", "0.7"},
        {"general.sampling.top_k", "20"},
        {"general.sampling.top_p", "0.8"},
        {"general.sampling.min_p", NULL},
        {"general.sampling.penalty_repeat", "1.05"},
        {"llama.context_length", "64"},
        {"llama.embedding_length", "8"},
        {"llama.block_count", "1"},
        {"llama.feed_forward_length", "12"},
        {"llama.attention.head_count", "2"},
        {"llama.attention.head_count_kv", "2"},
        {"llama.attention.key_length", "6"},
        {"llama.attention.value_length", "6"},
        {"llama.attention.layer_norm_rms_epsilon", "1e-05"},
        {"llama.rope.dimension_count", "6"},
        {"llama.rope.freq_base", "10000"},
        {"llama.vocab_size", "5"},
        {"tokenizer.ggml.model", "none"},
    };
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++)
        check_entry(gguf, entries[i].key, entries[i].value);
    assert_int_equal(source_file_count(source), 3);
    gguf_close(gguf);
    source_close(source);
    const struct source_options options = {.gptq_zero_wrap = 16, .name = "another name"};
    assert_true(source_open(folder, &options, &source, NULL));
    gguf = metadata_of(source);
    check_entry(gguf, "general.name", "another name");
    gguf_close(gguf);
    source_close(source);
    free(config);
}

/* Folders as they are called, and what GGUF's naming convention makes of them. */
static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *folder, *name, *basename, *finetune, *version;
    } rows[] = {
        {"Tiny-0.6K-Chat-v1.5", "Tiny 0.6K Chat v1.5", "Tiny", "Chat", "v1.5"},
        {"tiny-0.6k-instruct", "Tiny 0.6k Instruct", "tiny", "instruct", NULL},
        {"Tiny-2-0.6K-128k-It", "Tiny 2 0.6K 128k It", "Tiny", "128k-It", "2"},
        {"Tiny2.5-0.6K-F16", "Tiny2.5 0.6K F16", "Tiny2.5", NULL, NULL},
        {"gpt-j-small", "Gpt J Small", "gpt-j", NULL, NULL},
        {"all-of-it", "All Of It", NULL, NULL, NULL},
        {"models--me--Tiny-0.6K/snapshots/0123abcd", "Tiny 0.6K", "Tiny", NULL, NULL},
        {"Tiny-0.6K-Base/.", "Tiny 0.6K Base", "Tiny", "Base", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct source *source = rig_source(folder_write(rows[i].folder, folder_config, NULL));
        struct gguf *gguf = metadata_of(source);
        check_entry(gguf, "general.name", rows[i].name);
        check_entry(gguf, "general.basename", rows[i].basename);
        check_entry(gguf, "general.finetune", rows[i].finetune);
        check_entry(gguf, "general.version", rows[i].version);
        check_entry(gguf, "general.size_label", "0.6K");
        gguf_close(gguf);
        source_close(source);
    }
}

/* A text_config leaves out what equals the class's default: 4096 here, so the shapes do not fit. */
static void test_nested(void **state)
{
    (void)state;
    rig_source_refused(
        folder_write("nested",
                     "{\"model_type\": \"llava\", \"text_config\": {\"model_type\": \"llama\", "
                     "\"vocab_size\": 5, \"num_hidden_layers\": 1}}",
                     NULL),
        "'model.embed_tokens.weight' is [5, 8], expected [5, 4096] by config.json");
}

/* A model that lichen has no map of is read under its own names, whatever they are. */
static void test_unsupported(void **state)
{
    (void)state;
    static const char long_name[] =
        "a.name.of.more.than.sixty-three.bytes.which.no.file.of.GGUF.could.hold.in.its.header";
    struct folder_tensor changes[] = {{"position_ids", "I64", "[1, 8]", 1},
                                      {"five.dims", "BF16", "[1, 2, 1, 2, 2]", 0x3f},
                                      {long_name, "F32", "[3, 4]", 0},
                                      {NULL, NULL, NULL, 0}};
    char *config = folder_config_with("\"llama\"", "\"bert\"");
    struct source *source = rig_source(folder_write("bert", config, changes));
    assert_string_equal(source_unsupported(source),
                        "model_type bert (LlamaForCausalLM) is no family that lichen converts");
    assert_string_equal(source_architecture(source), "bert");
    assert_int_equal(source_tensor_count(source), folder_tensor_count + 3);
    uint32_t index = rig_tensor(source, "five.dims");
    const struct source_tensor *tensor = source_tensor_at(source, index);
    assert_int_equal(tensor->stored, DTYPE_BF16);
    assert_int_equal(tensor->dims[0] * tensor->rows, 8);
    float *rows = rig_rows(source, index), one;
    memcpy(&one, &(uint32_t){0x3f3f0000}, sizeof one);
    for (int i = 0; i < 8; i++)
        assert_true(rows[i] == one);
    free(rows);
    assert_int_equal(source_tensor_at(source, rig_tensor(source, "position_ids"))->stored,
                     DTYPE_I32);
    rig_tensor(source, long_name);
    source_close(source);
    free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stories_rows), cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_sort),         cmocka_unit_test(test_metadata),
        cmocka_unit_test(test_names),        cmocka_unit_test(test_nested),
        cmocka_unit_test(test_unsupported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
