/* test_cli.c: the program as users and scripts meet it: exit statuses, one-line errors, JSON
 * documents, files. On stories260K with the C executor, and once on the default device. */
#include "program.h"
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define STORIES_FOLDER LICHEN_SHARED "/golden/models/stories260K"
#define STORIES STORIES_FOLDER "/derived-stories260K-f32.gguf"
#define VOCAB LICHEN_SHARED "/golden/vocab"
#define OUT LICHEN_TEST_OUTPUT
#define CPU "--device", "cpu"

#define NEED(path)                                                                                 \
    do {                                                                                           \
        if (!test_file_exists(path))                                                               \
            SKIP("%s is not there", path);                                                         \
    } while (0)

/* ---- model files made of stories260K ---- */

static void put_u64(unsigned char *at, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        at[i] = (unsigned char)(value >> 8 * i);
}

/* Adds a text entry in front of the metadata. Its size is a multiple of the alignment, so that the
 * tensors stay where they are relative to it; the value is padded with spaces. */
static void add_entry(const char *path, const char *key, const char *value)
{
    enum { HEADER = 24, ALIGNMENT = 32 };
    size_t size, key_size = strlen(key), value_size = strlen(value);
    unsigned char *bytes = (unsigned char *)file_bytes(STORIES, &size);
    assert_non_null(bytes);
    size_t plain = 8 + key_size + 4 + 8;
    size_t entry_size = (plain + value_size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    unsigned char *made = malloc(size + entry_size);
    assert_non_null(made);
    memcpy(made, bytes, HEADER);
    made[16]++; /* the number of entries */
    memset(made + HEADER, ' ', entry_size);
    put_u64(made + HEADER, key_size);
    memcpy(made + HEADER + 8, key, key_size);
    memcpy(made + HEADER + 8 + key_size, "\x08\0\0\0", 4); /* string */
    put_u64(made + HEADER + 12 + key_size, entry_size - plain);
    memcpy(made + HEADER + plain, value, value_size);
    memcpy(made + HEADER + entry_size, bytes + HEADER, size - HEADER);
    file_put(path, made, size + entry_size);
    free(made);
    free(bytes);
}

#define CHAT_MODEL OUT "/chat.gguf"
static void make_chat_model(void)
{
    if (!test_file_exists(CHAT_MODEL))
        add_entry(CHAT_MODEL, "tokenizer.chat_template",
                  "{{ bos_token }}{% for m in messages %}{{ m.content }} {% endfor %}");
}

/* A copy of stories260K with `from` replaced by `to`, of the same length, where it first stands. */
static void make_changed(const char *path, const char *from, const char *to)
{
    size_t size, length = strlen(from);
    char *bytes = file_bytes(STORIES, &size);
    assert_non_null(bytes);
    for (size_t i = 0; i + length <= size; i++)
        if (memcmp(bytes + i, from, length) == 0) {
            memcpy(bytes + i, to, length);
            break;
        }
    file_put(path, bytes, size);
    free(bytes);
}

/* ---- usage ---- */

static void assert_done(struct ran *ran, const char *out_part)
{
    if (ran->status != 0 || !strstr(ran->out, out_part))
        print_error("status %d, stdout: %s\nstderr: %s\n", ran->status, ran->out, ran->err);
    assert_int_equal(ran->status, 0);
    assert_non_null(strstr(ran->out, out_part));
    ran_free(ran);
}

static void test_help(void **state)
{
    (void)state;
    static const char *const commands[] = {"chat",    "run",  "logits", "tokenize", "template",
                                           "devices", "info", "plan",   "bench"};
    struct ran ran = LICHEN("--version");
    assert_done(&ran, "lichen 0.");
    ran = LICHEN("help");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        assert_non_null(strstr(ran.out, commands[i]));
    assert_done(&ran, "usage: lichen COMMAND");
    ran = LICHEN("--help");
    assert_done(&ran, "usage: lichen COMMAND");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        char usage[64];
        snprintf(usage, sizeof usage, "usage: lichen %s", commands[i]);
        ran = LICHEN(commands[i], "--help");
        assert_done(&ran, usage);
        ran = LICHEN("help", commands[i]);
        assert_done(&ran, usage);
    }
}

static void test_usage_errors(void **state)
{
    (void)state;
    struct ran ran = LICHEN("frobnicate");
    assert_refused(&ran, 2, "frobnicate: no such command");
    ran = LICHEN("run", "--temp", "warm");
    assert_refused(&ran, 2, "run: --temp: expected a number, found 'warm'");
    ran = LICHEN("run", "--frobnicate");
    assert_refused(&ran, 2, "--frobnicate");
    ran = LICHEN("run", "model.gguf", "more", "-p", "x");
    assert_refused(&ran, 2, "unexpected 'more'");
    ran = LICHEN("plan", "--kv", "q4");
    assert_refused(&ran, 2, "--kv: expected f16|f32|q8_0");
    ran = LICHEN("plan", "--gpu-layers", "some");
    assert_refused(&ran, 2, "--gpu-layers: expected a whole number, auto or all, found 'some'");
    ran = LICHEN("plan", "--memory", "0");
    assert_refused(&ran, 2, "--memory: expected a size as 512M or 2G, found '0'");
    ran = LICHEN("logits", "model.gguf");
    assert_refused(&ran, 2, "--ids and --output are needed");
    ran = LICHEN("logits", "model.gguf", "--ids", "1,x", "-o", OUT "/x.npy");
    assert_refused(&ran, 2, "expected token ids as 1,2,3, found 'x'");
    ran = LICHEN("bench", "--shape", "nothing-7b");
    assert_refused(&ran, 2, "--shape nothing-7b: unknown; known are");
    ran = LICHEN("bench", "--shape", "8b", "--type", "q9");
    assert_refused(&ran, 2, "--type q9: unknown; known are");
    ran = LICHEN("bench", "--type", "q4_0");
    assert_refused(&ran, 2, "--type is the type of a --shape");
    ran = LICHEN("bench", "model.gguf", "--shape", "8b");
    assert_refused(&ran, 2, "it takes no file beside it");
    ran = LICHEN("bench", "--shape", "8b", "--peer", "/nowhere");
    assert_refused(&ran, 2, "--peer needs a model file");
    ran = LICHEN(NULL);
    assert_int_equal(ran.status, 2);
    assert_int_equal(ran.out_size, 0);
    ran_free(&ran);
}

static void test_not_yet(void **state)
{
    (void)state;
    static const char *const commands[] = {"doctor", "serve"};
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        char part[64];
        snprintf(part, sizeof part, "lichen: %s: not yet", commands[i]);
        struct ran ran = LICHEN(commands[i], "anything");
        assert_refused(&ran, 2, part);
    }
}

/* ---- models that cannot be opened ---- */

static void test_missing_models(void **state)
{
    (void)state;
    struct ran ran = LICHEN("info", "/nonexistent/model.gguf");
    assert_refused(&ran, 1, "/nonexistent/model.gguf: no such file");
    ran = LICHEN("info", "nomodel");
    assert_refused(&ran, 1, "nomodel: no such file, and no model of that name in");
    ran = LICHEN("run", "-p", "x");
    assert_refused(&ran, 1, "./setup get smollm2");
    ran = LICHEN("chat", "x");
    assert_refused(&ran, 1, "x: no such file, and no model");
    ran = LICHEN("info", OUT); /* a folder */
    assert_refused(&ran, 1, OUT);
}

static void test_broken_models(void **state)
{
    (void)state;
    NEED(STORIES);
    file_put(OUT "/empty.gguf", "", 0);
    file_put(OUT "/html.gguf", "<!DOCTYPE html><html>not here</html>", 36);
    size_t size;
    char *bytes = file_bytes(STORIES, &size);
    file_put(OUT "/cut.gguf", bytes, size / 2);
    file_put(OUT "/head.gguf", bytes, 100);
    free(bytes);
    make_changed(OUT "/other.gguf", "llama", "xyzma");
    static const struct {
        const char *path, *part;
    } cases[] = {
        {OUT "/empty.gguf", "empty.gguf"}, {OUT "/html.gguf", "html.gguf"},
        {OUT "/cut.gguf", "cut.gguf"},     {OUT "/head.gguf", "head.gguf"},
        {OUT "/other.gguf", "xyzma"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ran ran = LICHEN("run", cases[i].path, CPU, "--raw", "-p", "x", "-n", "1");
        assert_refused(&ran, 1, cases[i].part);
        ran = LICHEN("plan", cases[i].path, CPU);
        assert_refused(&ran, 1, cases[i].part);
    }
}

static void test_old_formats(void **state)
{
    (void)state;
    static const char *const names[] = {"ggml-vocab-llama.GGUFv1.gguf",
                                        "ggml-vocab-falcon.GGUFv2.gguf", "ggml-vocab.ggmf.bin"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[1024];
        snprintf(path, sizeof path, VOCAB "/legacy/%s", names[i]);
        NEED(path);
        struct ran ran = LICHEN("tokenize", path);
        assert_refused(&ran, 1, names[i]);
    }
}

static void test_model_by_name(void **state)
{
    (void)state;
    NEED(STORIES);
    static const char *const folders[] = {"/home", "/home/data", "/home/data/lichen",
                                          "/home/data/lichen/models"};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        char path[512];
        snprintf(path, sizeof path, OUT "%s", folders[i]);
        mkdir(path, 0700);
    }
    size_t size;
    char *bytes = file_bytes(STORIES, &size);
    file_put(OUT "/home/data/lichen/models/Tiny-A.gguf", bytes, size);
    file_put(OUT "/home/data/lichen/models/Tiny-B.gguf", bytes, size);
    free(bytes);
    struct ran ran = LICHEN("info", "tiny-a");
    assert_done(&ran, "Tiny-A.gguf");
    ran = LICHEN("info", "Tiny-B.gguf");
    assert_done(&ran, "Tiny-B.gguf");
    ran = LICHEN("info", "tiny");
    assert_refused(&ran, 2, "write more of the name");
    unlink(OUT "/home/data/lichen/models/Tiny-A.gguf");
    unlink(OUT "/home/data/lichen/models/Tiny-B.gguf");
}

/* ---- text ---- */

static void test_tokenize(void **state)
{
    (void)state;
    NEED(STORIES);
    struct ran ran = LICHEN_INPUT("Once upon a time", "tokenize", STORIES);
    assert_int_equal(ran.status, 0);
    assert_string_equal(ran.out, "1 403 407 261 378\n");
    ran_free(&ran);
    ran = LICHEN_INPUT("Once upon a time", "tokenize", STORIES, "--no-bos");
    assert_string_equal(ran.out, "403 407 261 378\n");
    ran_free(&ran);
    ran = LICHEN_INPUT("", "tokenize", STORIES, "--no-bos");
    assert_string_equal(ran.out, "\n");
    ran_free(&ran);
}

static void test_tokenize_round_trip(void **state)
{
    (void)state;
    NEED(STORIES);
    static const char text[] =
        "Tom & Lily said: \xE5\x8C\x97\xE4\xBA\xAC \xF0\x9F\x98\x80!\n\n\tx ";
    struct ran ids = LICHEN_INPUT(text, "tokenize", STORIES);
    assert_int_equal(ids.status, 0);
    struct ran back = LICHEN_INPUT(ids.out, "tokenize", STORIES, "--decode");
    assert_int_equal(back.status, 0);
    assert_string_equal(back.out, text);
    ran_free(&ids);
    ran_free(&back);
    file_put(OUT "/text.txt", text, sizeof text - 1);
    ids = LICHEN("tokenize", "-f", OUT "/text.txt", "--json", STORIES);
    json_t *document = json_loads(ids.out, 0, NULL);
    assert_non_null(document);
    assert_int_equal(json_integer_value(json_object_get(document, "schema")), 1);
    assert_int_equal(json_integer_value(json_object_get(document, "count")),
                     json_array_size(json_object_get(document, "ids")));
    json_decref(document);
    ran_free(&ids);
    ids = LICHEN_INPUT("1 2 99999", "tokenize", STORIES, "--decode");
    assert_refused(&ids, 2, "99999");
}

static void test_vocabulary_alone(void **state)
{
    (void)state;
    const char *path = VOCAB "/ggml-vocab-gpt-2.gguf";
    NEED(path);
    struct ran ran = LICHEN_INPUT("Hello world", "tokenize", path);
    assert_done(&ran, "15496 995");
    ran = LICHEN("info", path);
    assert_done(&ran, "50257");
    ran = LICHEN("run", path, CPU, "--raw", "-p", "x");
    assert_refused(&ran, 1, "ggml-vocab-gpt-2.gguf");
}

static void test_template(void **state)
{
    (void)state;
    NEED(STORIES);
    make_chat_model();
    struct ran ran = LICHEN_INPUT("{\"messages\": [{\"role\": \"user\", \"content\": \"A & B\"}]}",
                                  "template", CHAT_MODEL);
    assert_int_equal(ran.status, 0);
    assert_int_equal(strncmp(ran.out, "<s>A & B ", 9), 0);
    ran_free(&ran);
    ran = LICHEN_INPUT("{", "template", CHAT_MODEL);
    assert_refused(&ran, 2, "JSON");
    ran = LICHEN_INPUT("{\"messages\": []}", "template", STORIES);
    assert_refused(&ran, 1, "no chat template");
}

/* ---- what is there ---- */

static void assert_keys(json_t *object, const char *const *keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!json_object_get(object, keys[i]))
            print_error("no key %s\n", keys[i]);
        assert_non_null(json_object_get(object, keys[i]));
    }
}
#define KEYS(object, ...)                                                                          \
    assert_keys(object, (const char *const[]){__VA_ARGS__},                                        \
                sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

/* Takes the result; the document is the caller's. */
static json_t *json_of(struct ran *ran)
{
    if (ran->status != 0)
        print_error("status %d: %s\n", ran->status, ran->err);
    assert_int_equal(ran->status, 0);
    json_error_t error;
    json_t *document = json_loads(ran->out, JSON_REJECT_DUPLICATES, &error);
    if (!document)
        print_error("%s\n%s\n", error.text, ran->out);
    assert_non_null(document);
    ran_free(ran);
    return document;
}

static void test_devices(void **state)
{
    (void)state;
    struct ran ran = LICHEN("devices");
    assert_done(&ran, "[cpu]");
    ran = LICHEN("devices", "--json");
    json_t *document = json_of(&ran), *devices = json_object_get(document, "devices");
    assert_true(json_array_size(devices) >= 1);
    for (size_t i = 0; i < json_array_size(devices); i++)
        KEYS(json_array_get(devices, i), "number", "name", "uuid", "type", "driver", "heaps",
             "features", "limits", "chosen", "reason");
    json_decref(document);
    ran = LICHEN("devices", "extra");
    assert_refused(&ran, 2, "extra");
}

static void test_info(void **state)
{
    (void)state;
    NEED(STORIES);
    struct ran ran = LICHEN("info", STORIES);
    assert_done(&ran, "5 layers, width 64, 8 heads of 8, 4 for keys");
    ran = LICHEN("info", STORIES, "--tensors");
    assert_done(&ran, "token_embd.weight");
    ran = LICHEN("info", STORIES, "--json", "--tensors");
    json_t *document = json_of(&ran);
    KEYS(document, "schema", "model", "shape", "tokenizer", "template", "types", "metadata",
         "tensors");
    assert_int_equal(json_array_size(json_object_get(document, "tensors")), 47);
    json_decref(document);
}

static void test_plan(void **state)
{
    (void)state;
    NEED(STORIES);
    struct ran ran = LICHEN("plan", STORIES, CPU, "--ctx", "256");
    assert_done(&ran, "it fits");
    ran = LICHEN("plan", STORIES, CPU, "--ctx", "256", "--json");
    json_t *document = json_of(&ran), *heaps = json_object_get(document, "heaps");
    KEYS(document, "schema", "ctx", "layers", "host_layers", "heaps", "fits", "nearest");
    assert_int_equal(json_integer_value(json_object_get(document, "ctx")), 256);
    assert_true(json_is_true(json_object_get(document, "fits")));
    assert_true(json_array_size(heaps) >= 1);
    for (size_t i = 0; i < json_array_size(heaps); i++)
        KEYS(json_array_get(heaps, i), "name", "capacity", "free", "weights", "kv", "activations",
             "staging", "total");
    json_decref(document);
}

/* What the plan says does not fit is refused by what would load it, and layers that were moved are
 * told of (moved into a heap of their own: tests/engine/test_layers.c). */
static void test_no_room(void **state)
{
    (void)state;
    NEED(STORIES);
    char size[32];
    struct ran ran = LICHEN("plan", STORIES, "--ctx", "512", "--json");
    json_t *document = json_of(&ran), *heaps = json_object_get(document, "heaps");
    json_t *total = json_object_get(json_array_get(heaps, 0), "total");
    snprintf(size, sizeof size, "%lld", (long long)json_integer_value(total) - 1);
    json_decref(document);
    ran = LICHEN("plan", STORIES, "--memory", size, "--ctx", "512");
    assert_done(&ran, "it does not fit; nearest that does: --ctx 256");
    ran = LICHEN("run", STORIES, "--raw", "-p", "x", "--memory", size, "--ctx", "512");
    assert_refused(&ran, 1, "what fits: --ctx 256");
    ran = LICHEN("plan", STORIES, "--gpu-layers", "2", "--ctx", "256");
    assert_done(&ran, "3 of 5 layers in host memory\nit fits");
    ran = LICHEN("run", STORIES, "--raw", "-p", "Once", "-n", "2", "--gpu-layers", "2");
    assert_int_equal(ran.status, 0);
    assert_non_null(strstr(ran.err, "3 of 5 layers lie in host memory"));
    ran_free(&ran);
}

/* ---- answers ---- */

static void test_run_json(void **state)
{
    (void)state;
    NEED(STORIES);
    struct ran ran = LICHEN("run", STORIES, CPU, "--raw", "-p", "Once upon a time", "-n", "20",
                            "--temp", "0", "--json");
    json_t *document = json_of(&ran), *timings = json_object_get(document, "timings");
    KEYS(document, "prompt_ids", "ids", "text", "stop", "timings", "device", "model");
    KEYS(timings, "load_s", "prefill_tokens", "prefill_s", "decode_tokens", "decode_s");
    assert_int_equal(json_array_size(json_object_get(document, "prompt_ids")), 5);
    assert_int_equal(json_array_size(json_object_get(document, "ids")), 20);
    assert_string_equal(json_string_value(json_object_get(document, "stop")), "length");
    const char *text = json_string_value(json_object_get(document, "text"));
    ran = LICHEN("run", STORIES, CPU, "--raw", "-p", "Once upon a time", "-n", "20", "--temp", "0");
    assert_int_equal(ran.status, 0);
    assert_int_equal(strncmp(ran.out, text, strlen(text)), 0);
    assert_string_equal(ran.out + strlen(text), "\n");
    assert_int_equal(strncmp(text, ", there was a little girl", 25), 0);
    ran_free(&ran);
    json_decref(document);
}

/* The golden greedy ids, with the begin token alone as the prompt. */
static void greedy_is_golden(const char *const *device)
{
    NEED(STORIES);
    json_t *golden = json_load_file(STORIES_FOLDER "/golden_greedy.json", 0, NULL);
    assert_non_null(golden);
    const char *arguments[16] = {"run", STORIES, "--raw",  "-p", "<s>",    "--special",
                                 "-n",  "200",   "--temp", "0",  "--json", "--exact"};
    arguments[12] = device[0];
    arguments[13] = device[0] ? device[1] : NULL;
    struct ran ran = run_lichen(NULL, 0, arguments);
    json_t *document = json_of(&ran), *ids = json_object_get(document, "ids");
    json_t *prompt = json_object_get(document, "prompt_ids");
    size_t extra = json_array_size(prompt) - 1; /* the begin token may be there twice */
    if (extra == 0)
        assert_true(json_equal(ids, json_object_get(golden, "greedy_ids")));
    json_decref(document);
    json_decref(golden);
}

static void test_run_golden_cpu(void **state)
{
    (void)state;
    greedy_is_golden((const char *const[]){"--device", "cpu"});
}

static void test_run_golden_default(void **state)
{
    (void)state;
    greedy_is_golden((const char *const[]){NULL, NULL});
}

static char *answer_with_seed(const char *seed)
{
    struct ran ran = LICHEN("run", STORIES, CPU, "--raw", "-p", "Once", "-n", "40", "--seed", seed);
    assert_int_equal(ran.status, 0);
    free(ran.err);
    return ran.out;
}

static void test_run_seed(void **state)
{
    (void)state;
    NEED(STORIES);
    char *a = answer_with_seed("7"), *b = answer_with_seed("7"), *c = answer_with_seed("8");
    assert_string_equal(a, b);
    assert_string_not_equal(a, c);
    free(a);
    free(b);
    free(c);
}

static void test_run_prompts(void **state)
{
    (void)state;
    NEED(STORIES);
    file_put(OUT "/prompt.txt", "Once upon a time", 16);
    struct ran ran =
        LICHEN("run", STORIES, CPU, "--raw", "-f", OUT "/prompt.txt", "-n", "3", "--temp", "0");
    assert_done(&ran, ", there was");
    ran = LICHEN_INPUT("Once upon a time", "run", STORIES, CPU, "--raw", "-n", "3", "--temp", "0");
    assert_done(&ran, ", there was");
    ran = LICHEN("run", STORIES, CPU, "--raw", "-p", "Once upon a time", "-n", "50", "--temp", "0",
                 "--stop", "little", "--json");
    json_t *document = json_of(&ran);
    assert_string_equal(json_string_value(json_object_get(document, "stop")), "stop");
    assert_string_equal(json_string_value(json_object_get(document, "text")), ", there was a ");
    json_decref(document);
    ran = LICHEN("run", STORIES, CPU, "--raw", "-p", "a", "-f", "b");
    assert_refused(&ran, 2, "only one of them");
    ran = LICHEN("run", STORIES, CPU, "--raw", "-f", "/nonexistent");
    assert_refused(&ran, 1, "/nonexistent: No such file");
    ran = LICHEN("run", STORIES, CPU, "-p", "x");
    assert_refused(&ran, 1, "lichen run --raw");
}

static void test_run_context(void **state)
{
    (void)state;
    NEED(STORIES);
    struct ran ran = LICHEN("run", STORIES, CPU, "--raw", "--ctx", "16", "-p", "Once upon a time",
                            "--temp", "0", "--json");
    json_t *document = json_of(&ran);
    assert_string_equal(json_string_value(json_object_get(document, "stop")), "length");
    assert_int_equal(json_array_size(json_object_get(document, "ids")), 12);
    json_decref(document);
    ran = LICHEN("run", STORIES, CPU, "--raw", "--ctx", "4", "-p", "Once upon a time");
    assert_refused(&ran, 1, "the prompt has 5 tokens and the context 4 positions");
}

static void test_full_disk(void **state)
{
    (void)state;
    NEED(STORIES);
    char command[4096];
    snprintf(command, sizeof command,
             "%s run '%s' --device cpu --raw -p Once -n 5 --quiet >/dev/full 2>'%s/full.txt'",
             LICHEN_PROGRAM, STORIES, OUT);
    int status = system(command);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    assert_int_equal(count_files_with(OUT "/full.txt", "lichen: standard output"), 1);
}

/* ---- logits ---- */

static float *logits_file(const char *path, size_t *rows, size_t *columns)
{
    size_t size;
    char *bytes = file_bytes(path, &size);
    assert_non_null(bytes);
    assert_memory_equal(bytes, "\x93NUMPY\x01\x00", 8);
    size_t header = 10 + (unsigned char)bytes[8] + 256u * (unsigned char)bytes[9];
    assert_int_equal(header % 64, 0);
    char *shape = strstr(bytes + 10, "'shape': (");
    assert_non_null(shape);
    assert_int_equal(sscanf(shape, "'shape': (%zu, %zu)", rows, columns), 2);
    assert_int_equal(size, header + *rows * *columns * sizeof(float));
    float *values = malloc(size - header);
    assert_non_null(values);
    memcpy(values, bytes + header, size - header);
    free(bytes);
    return values;
}

static size_t largest(const float *row, size_t count)
{
    size_t best = 0;
    for (size_t i = 1; i < count; i++)
        if (row[i] > row[best])
            best = i;
    return best;
}

static void test_logits(void **state)
{
    (void)state;
    NEED(STORIES);
    json_t *golden = json_load_file(STORIES_FOLDER "/golden_greedy.json", 0, NULL);
    json_t *ids = json_object_get(golden, "greedy_ids");
    char list[2048] = "1";
    for (size_t i = 0; i < 99; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), i % 2 ? ",%d" : " %d",
                 (int)json_integer_value(json_array_get(ids, i)));
    struct ran ran = LICHEN_INPUT(list, "logits", STORIES, CPU, "--exact", "--ids", "-", "-o",
                                  OUT "/logits.npy");
    assert_done(&ran, "");
    size_t rows, columns;
    float *values = logits_file(OUT "/logits.npy", &rows, &columns);
    assert_int_equal(rows, 100);
    assert_int_equal(columns, 512);
    for (size_t i = 0; i < rows; i++)
        assert_int_equal(largest(values + i * columns, columns),
                         json_integer_value(json_array_get(ids, i)));
    free(values);
    json_decref(golden);
    assert_int_equal(count_entries(OUT, ".part-"), 0);
}

/* A limit on the size of files is one line, no death by a signal, and leaves nothing behind. */
static void test_file_size_limit(void **state)
{
    (void)state;
    NEED(STORIES);
    struct rlimit before, limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = (struct rlimit){4096, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    struct ran ran =
        LICHEN("logits", STORIES, CPU, "--ids", "1,2,3,4", "-o", OUT "/limit.npy", "--quiet");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_refused(&ran, 1, "limit.npy: ");
    assert_int_equal(count_entries(OUT, "limit.npy"), 0);
}

static void test_logits_failures(void **state)
{
    (void)state;
    NEED(STORIES);
    struct ran ran = LICHEN("logits", STORIES, CPU, "--ids", "1,2", "-o", "/dev/full");
    assert_refused(&ran, 1, "/dev/full: No space left on device");
    ran = LICHEN("logits", STORIES, CPU, "--ids", "1,2", "-o", "/nonexistent/x.npy");
    assert_refused(&ran, 1, "/nonexistent/x.npy");
    ran = LICHEN("logits", STORIES, CPU, "--ids", "1,512", "-o", OUT "/wrong.npy");
    assert_refused(&ran, 2, "512");
    ran = LICHEN("logits", STORIES, CPU, "--ids", "", "-o", OUT "/wrong.npy");
    assert_refused(&ran, 2, "found none");
    assert_false(test_file_exists(OUT "/wrong.npy"));
    assert_int_equal(count_entries(OUT, ".part-"), 0);
}

/* ---- Ctrl-C outside a chat ---- */

static void test_interrupt(void **state)
{
    (void)state;
    NEED(STORIES);
    /* More than any machine does in half a second. */
    assert_int_equal(run_and_signal(SIGINT, 500,
                                    (const char *const[]){"run", STORIES, CPU, "--raw", "--ctx",
                                                          "200000", "-p", "Once", NULL}),
                     130);
    char *ids = malloc(2 * 60000 + 1);
    assert_non_null(ids);
    for (size_t i = 0; i < 60000; i++)
        memcpy(ids + 2 * i, "5,", 2);
    ids[2 * 60000 - 1] = 0;
    assert_int_equal(run_and_signal(SIGINT, 700,
                                    (const char *const[]){"logits", STORIES, CPU, "--ids", ids,
                                                          "-o", OUT "/stopped.npy", NULL}),
                     130);
    free(ids);
    assert_int_equal(count_entries(OUT, "stopped.npy"), 0); /* neither the file nor a part */
}

/* ---- bench ---- */

static void test_bench(void **state)
{
    (void)state;
    NEED(STORIES);
    struct ran ran =
        LICHEN("bench", STORIES, CPU, "-p", "16", "-n", "8", "-d", "0,32", "-r", "2", "--json");
    json_t *document = json_of(&ran), *results = json_object_get(document, "results");
    KEYS(document, "schema", "model", "device", "machine", "results", "start");
    KEYS(json_object_get(document, "start"), "cold_s", "warm_s");
    assert_true(json_real_value(json_object_get(json_object_get(document, "start"), "warm_s")) > 0);
    assert_int_equal(json_array_size(results), 4);
    for (size_t i = 0; i < 4; i++) {
        json_t *row = json_array_get(results, i);
        KEYS(row, "test", "tokens", "depth", "tokens_per_s", "gb_per_s", "bandwidth_share",
             "bytes_per_token", "dispatches_per_token", "intervals_per_token",
             "submissions_per_token");
        KEYS(json_object_get(row, "tokens_per_s"), "median", "p10", "p90");
    }
    json_dump_file(document, OUT "/bench.json", 0);
    json_decref(document);
    ran = LICHEN("bench", STORIES, CPU, "-p", "16", "-n", "8", "-d", "0", "-r", "1", "--no-start",
                 "--compare", OUT "/bench.json");
    assert_done(&ran, "before");
    ran = LICHEN("bench", STORIES, CPU, "-p", "16", "-n", "8", "-d", "0,4096", "-r", "1",
                 "--no-start");
    assert_done(&ran, "left out: depth 4096");
    ran = LICHEN("bench", STORIES, CPU, "-p", "16", "-n", "8", "-d", "0", "-r", "1", "--no-start",
                 "--csv");
    assert_done(&ran, "prefill,16,0,");
    ran = LICHEN("bench", STORIES, CPU, "--png", "/nonexistent/x.png", "--no-start");
    assert_refused(&ran, 1, "/nonexistent/x.png");
    ran = LICHEN("bench", STORIES, CPU, "--kernels", "-p", "8", "-n", "2", "--no-start");
    assert_refused(&ran, 1, "cpu: the C executor has no kernels to time");
    ran = LICHEN("bench", STORIES, "--compare", "/nonexistent.json");
    assert_refused(&ran, 1, "/nonexistent.json");
    ran = LICHEN("bench", STORIES, CPU, "-r", "0", "--no-start");
    assert_refused(&ran, 2, "repeats");
}

/* No file, the default device: numbers, kernels that add up, a picture that appears whole. */
static void test_bench_shape(void **state)
{
    (void)state;
    static const char *const keys[] = {"kernel", "operation", "weights", "rows",     "cols",
                                       "us",     "bytes",     "share",   "gb_per_s", "gflop_per_s"};
    struct ran ran = LICHEN("bench", "--shape", "smollm2", "-p", "8", "-n", "2", "-d", "0", "-r",
                            "2", "--kernels", "--json", "--png", OUT "/shape.png");
    assert_int_equal(ran.status, 0);
    json_t *document = json_loads(ran.out, 0, NULL);
    assert_non_null(document);
    json_t *results = json_object_get(document, "results"), *kernels;
    kernels = json_object_get(document, "kernels");
    assert_int_equal(json_array_size(results), 2);
    assert_int_equal(json_array_size(kernels), 2);
    assert_true(json_is_null(json_object_get(json_object_get(document, "start"), "cold_s")));
    assert_true(json_is_true(json_object_get(json_object_get(document, "model"), "made_up")));
    json_t *decode = json_array_get(kernels, 1), *group;
    assert_string_equal(json_string_value(json_object_get(decode, "test")), "decode");
    assert_int_equal(
        json_integer_value(json_object_get(decode, "dispatches")),
        json_integer_value(json_object_get(json_array_get(results, 1), "dispatches_per_token")));
    double share = 0;
    json_int_t dispatches = 0;
    size_t i;
    json_array_foreach(json_object_get(decode, "groups"), i, group)
    {
        for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++)
            assert_non_null(json_object_get(group, keys[k]));
        share += json_number_value(json_object_get(group, "share"));
        dispatches += json_integer_value(json_object_get(group, "dispatches"));
    }
    assert_true(fabs(share - 1) < 1e-6);
    assert_int_equal(dispatches, json_integer_value(json_object_get(decode, "dispatches")));
    json_decref(document);
    ran_free(&ran);
    size_t size;
    char *picture = file_bytes(OUT "/shape.png", &size);
    assert_non_null(picture);
    assert_true(size > 1000 && memcmp(picture, "\x89PNG", 4) == 0);
    free(picture);
    assert_int_equal(count_entries(OUT, "shape.png"), 1); /* no part file */
    unlink(OUT "/shape.png");
    ran = LICHEN("bench", "--shape", "smollm2", "-p", "8", "-n", "2", "-d", "0", "-r", "1",
                 "--kernels", "--csv");
    assert_done(&ran, "test,tokens,depth,kernel,operation,");
    ran = LICHEN("plan", "--shape", "0.5b", "--type", "q8_0", CPU, "--json");
    assert_done(&ran, "\"fits\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_help),
        cmocka_unit_test(test_usage_errors),
        cmocka_unit_test(test_not_yet),
        cmocka_unit_test(test_missing_models),
        cmocka_unit_test(test_broken_models),
        cmocka_unit_test(test_old_formats),
        cmocka_unit_test(test_model_by_name),
        cmocka_unit_test(test_tokenize),
        cmocka_unit_test(test_tokenize_round_trip),
        cmocka_unit_test(test_vocabulary_alone),
        cmocka_unit_test(test_template),
        cmocka_unit_test(test_devices),
        cmocka_unit_test(test_info),
        cmocka_unit_test(test_plan),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_run_json),
        cmocka_unit_test(test_run_golden_cpu),
        cmocka_unit_test(test_run_golden_default),
        cmocka_unit_test(test_run_seed),
        cmocka_unit_test(test_run_prompts),
        cmocka_unit_test(test_run_context),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_logits),
        cmocka_unit_test(test_logits_failures),
        cmocka_unit_test(test_file_size_limit),
        cmocka_unit_test(test_interrupt),
        cmocka_unit_test(test_bench),
        cmocka_unit_test(test_bench_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
