/* test_convert.c: lichen convert and lichen verify as their users meet them. */
#define _GNU_SOURCE
#include "gguf_model.h"
#include "program.h"

#include <jansson.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER LICHEN_TEST_OUTPUT "/convert"
#define SOURCE FOLDER "/source.gguf"
#define OUTPUT FOLDER "/out.gguf"
#define REPORT FOLDER "/report.json"

static void clean(void)
{
    unlink(OUTPUT);
    unlink(OUTPUT ".part");
    unlink(OUTPUT ".part.journal");
    unlink(REPORT);
}

static int prepare(void **state)
{
    (void)state;
    static const struct gguf_model model = {.layers = 2,
                                            .dim = 256,
                                            .ffn = 512,
                                            .kv_dim = 128,
                                            .vocab = 1200, /* lichen-peer feeds token 1000 */
                                            .dtype = DTYPE_F16,
                                            .vocabulary = true};
    mkdir(LICHEN_TEST_OUTPUT "/home", 0700);
    mkdir(FOLDER, 0700);
    gguf_model_write(SOURCE, &model);
    return 0;
}

static void assert_done(struct ran *ran)
{
    if (ran->status != 0)
        print_error("status %d: %s\n", ran->status, ran->err);
    assert_int_equal(ran->status, 0);
}

static void convert(const char *type)
{
    clean();
    struct ran ran = LICHEN("convert", SOURCE, "-o", OUTPUT, "--type", type);
    assert_done(&ran);
    assert_int_equal(ran.out_size, 0);
    ran_free(&ran);
}

static json_t *parse(const char *text)
{
    json_error_t error;
    json_t *document = json_loads(text, 0, &error);
    if (!document)
        fail_msg("line %d: %s", error.line, error.text);
    assert_int_equal(json_integer_value(json_object_get(document, "schema")), 1);
    return document;
}

static void test_usage(void **state)
{
    (void)state;
    struct ran ran = LICHEN("convert", SOURCE, "-o", OUTPUT);
    assert_refused(&ran, 2, "--type is needed");
    ran = LICHEN("convert", SOURCE, "--type", "q8_0");
    assert_refused(&ran, 2, "-o OUT.gguf");
    ran = LICHEN("convert", "--type", "q8_0", "-o", OUTPUT);
    assert_refused(&ran, 2, "one SRC is needed");
    ran = LICHEN("convert", SOURCE, OUTPUT, "--type", "q8_0");
    assert_refused(&ran, 2, "the output is said by -o");
    ran = LICHEN("convert", SOURCE, "--type", "q8_0", "-o", FOLDER "/no/o.gguf");
    assert_refused(&ran, 1, "/no does not exist; create that folder first");
    ran =
        LICHEN("convert", SOURCE, "--type", "q8_0", "-o", OUTPUT, "--report", FOLDER "/no/r.json");
    assert_refused(&ran, 1, "/no/r.json: cannot be written");
    ran = LICHEN("verify", FOLDER);
    assert_refused(&ran, 1, "is a folder, a .gguf file is expected");
    ran = LICHEN("convert", SOURCE, "--type", "q3_k", "-o", OUTPUT);
    assert_refused(&ran, 2, "'q3_k' is no type");
    ran = LICHEN("convert", SOURCE, "--type", "q8_0", "--type-for", "nothing=f16", "-o", OUTPUT);
    assert_refused(&ran, 2, "no tensor matches");
    ran = LICHEN("convert", FOLDER "/none", "--type", "q8_0", "-o", OUTPUT);
    assert_refused(&ran, 1, "no such file or folder");
    ran = LICHEN("convert", SOURCE, "--type", "q8_0", "-o", SOURCE);
    assert_refused(&ran, 2, "is the input itself");
    ran = LICHEN("verify", FOLDER "/none.gguf");
    assert_int_equal(ran.status, 1);
    ran_free(&ran);
    assert_int_equal(access(OUTPUT, F_OK), -1);
}

/* What --dry-run says of the size is what the file has. */
static void test_dry_run(void **state)
{
    (void)state;
    struct stat status;
    convert("q4_k_m");
    assert_int_equal(stat(OUTPUT, &status), 0);
    clean();
    struct ran ran = LICHEN("convert", SOURCE, "--type", "q4_k_m", "--dry-run", "--json");
    assert_done(&ran);
    json_t *document = parse(ran.out);
    ran_free(&ran);
    assert_int_equal(json_integer_value(json_object_get(document, "file_bytes")), status.st_size);
    assert_int_equal(json_array_size(json_object_get(document, "tensors")), 21);
    json_t *tensor = json_array_get(json_object_get(document, "tensors"), 0);
    assert_string_equal(json_string_value(json_object_get(tensor, "name")), "token_embd.weight");
    assert_string_equal(json_string_value(json_object_get(tensor, "stored")), "F16");
    assert_string_equal(json_string_value(json_object_get(tensor, "type")), "Q4_K");
    assert_null(json_object_get(tensor, "relative_error"));
    json_decref(document);
    assert_int_equal(access(OUTPUT, F_OK), -1);
    ran = LICHEN("convert", SOURCE, "--type", "q4_k_m", "--dry-run");
    assert_done(&ran);
    assert_non_null(strstr(ran.out, "blk.1.ffn_down.weight"));
    assert_non_null(strstr(ran.out, "mixture"));
    assert_non_null(strstr(ran.out, "bits per weight"));
    ran_free(&ran);
}

static void test_report(void **state)
{
    (void)state;
    clean();
    struct ran ran = LICHEN("convert", SOURCE, "-o", OUTPUT, "--type", "q4_0", "--report", REPORT,
                            "--type-for", "attn_v=q8_0", "--json");
    assert_done(&ran);
    json_t *document = parse(ran.out);
    ran_free(&ran);
    char *text = file_bytes(REPORT, NULL);
    json_t *written = parse(text);
    free(text);
    assert_true(json_equal(document, written));
    json_decref(written);
    size_t index, overridden = 0;
    json_t *tensor;
    json_array_foreach(json_object_get(document, "tensors"), index, tensor)
    {
        const char *type = json_string_value(json_object_get(tensor, "type"));
        double error = json_real_value(json_object_get(tensor, "relative_error"));
        overridden += strcmp(json_string_value(json_object_get(tensor, "reason")), "override") == 0;
        assert_int_equal(json_string_length(json_object_get(tensor, "xxh3_128")), 32);
        if (strcmp(type, "Q4_0") == 0)
            assert_true(error > 0.03 && error < 0.12);
        if (strcmp(type, "Q8_0") == 0)
            assert_true(error > 0 && error < 0.01);
    }
    assert_int_equal(overridden, 2);
    assert_true(json_is_true(json_object_get(json_object_get(document, "proof"), "run")));
    json_decref(document);
}

/* Every proof of a file that can be run, on the C executor and on a device. */
static void test_verify(void **state)
{
    (void)state;
    convert("q4_k_m");
    for (int i = 0; i < 2; i++) {
        struct ran ran = i ? LICHEN("verify", OUTPUT, "--json")
                           : LICHEN("verify", OUTPUT, "--device", "cpu", "--json");
        assert_done(&ran);
        json_t *document = parse(ran.out), *check;
        ran_free(&ran);
        assert_true(json_is_true(json_object_get(document, "right")));
        assert_true(json_is_true(json_object_get(document, "has_proof")));
        size_t index;
        json_array_foreach(json_object_get(document, "checks"), index, check)
        {
            const char *name = json_string_value(json_object_get(check, "name"));
            const char *want = strcmp(name, "template") == 0 ? "absent" : "right";
            assert_string_equal(json_string_value(json_object_get(check, "state")), want);
        }
        assert_int_equal(index, 6);
        json_decref(document);
    }
    struct ran ran = LICHEN("verify", OUTPUT, "--device", "cpu");
    assert_done(&ran);
    assert_non_null(strstr(ran.out, "logits     right"));
    ran_free(&ran);
}

static void test_verify_names_what_is_wrong(void **state)
{
    (void)state;
    size_t size;
    convert("q4_k_m");
    char *bytes = file_bytes(OUTPUT, &size);
    bytes[size - 100] ^= 8; /* in the last tensor */
    file_put(OUTPUT, bytes, size);
    struct ran ran = LICHEN("verify", OUTPUT, "--device", "cpu");
    assert_int_equal(ran.status, 1);
    assert_non_null(strstr(ran.out, "tensor 'output.weight': expected"));
    assert_non_null(strstr(ran.err, "tensor 'output.weight' is not what was written"));
    ran_free(&ran);
    bytes[size - 100] ^= 8;
    char *top = memmem(bytes, size, "lichen.proof.top_logits.1", 25);
    assert_non_null(top);
    top[25 + 4 + 4 + 8 + 2] ^= 0x40; /* type, item type, count: then the first logit */
    file_put(OUTPUT, bytes, size);
    ran = LICHEN("verify", OUTPUT, "--device", "cpu");
    assert_int_equal(ran.status, 1);
    assert_non_null(strstr(ran.out, "logits     wrong"));
    ran_free(&ran);
    free(bytes);
    ran = LICHEN("verify", SOURCE, "--device", "cpu");
    assert_done(&ran);
    assert_non_null(strstr(ran.out, "carries no proof"));
    assert_non_null(strstr(ran.out, "tensors    absent"));
    ran_free(&ran);
}

static void test_runs(void **state)
{
    (void)state;
    convert("q8_0");
    struct ran ran = LICHEN("run", OUTPUT, "--raw", "-p", "hello", "-n", "4", "--temp", "0",
                            "--device", "cpu", "--json");
    assert_done(&ran);
    ran_free(&ran);
    convert("iq4_xs");
    ran = LICHEN("logits", OUTPUT, "--ids", "1,5,9", "-o", FOLDER "/logits.npy", "--device", "cpu");
    assert_done(&ran);
    ran_free(&ran);
    unlink(FOLDER "/logits.npy");
}

static void test_force_and_resume(void **state)
{
    (void)state;
    convert("q8_0");
    struct ran ran = LICHEN("convert", SOURCE, "-o", OUTPUT, "--type", "q4_0");
    assert_refused(&ran, 2, "exists; --force");
    ran = LICHEN("convert", SOURCE, "-o", OUTPUT, "--type", "q4_0", "--force", "--quiet");
    assert_done(&ran);
    assert_string_equal(ran.err, "");
    ran_free(&ran);
    unlink(OUTPUT);
    ran = LICHEN("convert", SOURCE, "-o", OUTPUT, "--type", "q4_0", "--resume");
    assert_done(&ran); /* nothing to resume: it begins */
    ran_free(&ran);
}

/* A checkpoint of zeros that takes no room on the disk, as a folder of Hugging Face. */
static void write_sparse(const char *folder, unsigned layers, unsigned dim, unsigned ffn)
{
    char path[512], *header = malloc(1 << 16);
    uint64_t offset = 0;
    size_t used = 8;
    mkdir(folder, 0700);
    snprintf(path, sizeof path, "%s/config.json", folder);
    FILE *file = fopen(path, "wb");
    assert_true(file && header);
    fprintf(file,
            "{\"architectures\":[\"LlamaForCausalLM\"],\"model_type\":\"llama\",\"hidden_size\":%u,"
            "\"intermediate_size\":%u,\"num_hidden_layers\":%u,\"num_attention_heads\":16,"
            "\"num_key_value_heads\":16,\"vocab_size\":1024,\"max_position_embeddings\":2048,"
            "\"rms_norm_eps\":1e-5,\"rope_theta\":10000.0,\"tie_word_embeddings\":true,"
            "\"hidden_act\":\"silu\"}",
            dim, ffn, layers);
    fclose(file);
#define TENSOR(rows, columns, ...)                                                                 \
    do {                                                                                           \
        uint64_t size = 4ULL * (rows ? rows : 1) * (columns);                                      \
        used += (size_t)sprintf(header + used, "%c\"", used == 8 ? '{' : ',');                     \
        used += (size_t)sprintf(header + used, __VA_ARGS__);                                       \
        used += (size_t)sprintf(header + used, "\":{\"dtype\":\"F32\",\"shape\":[");               \
        if (rows)                                                                                  \
            used += (size_t)sprintf(header + used, "%u,", (unsigned)(rows));                       \
        used += (size_t)sprintf(header + used, "%u],\"data_offsets\":[%llu,%llu]}",                \
                                (unsigned)(columns), (unsigned long long)offset,                   \
                                (unsigned long long)(offset + size));                              \
        offset += size;                                                                            \
    } while (0)
    TENSOR(1024, dim, "model.embed_tokens.weight");
    TENSOR(0, dim, "model.norm.weight");
    for (unsigned i = 0; i < layers; i++) {
        TENSOR(0, dim, "model.layers.%u.input_layernorm.weight", i);
        TENSOR(0, dim, "model.layers.%u.post_attention_layernorm.weight", i);
        TENSOR(dim, dim, "model.layers.%u.self_attn.q_proj.weight", i);
        TENSOR(dim, dim, "model.layers.%u.self_attn.k_proj.weight", i);
        TENSOR(dim, dim, "model.layers.%u.self_attn.v_proj.weight", i);
        TENSOR(dim, dim, "model.layers.%u.self_attn.o_proj.weight", i);
        TENSOR(ffn, dim, "model.layers.%u.mlp.gate_proj.weight", i);
        TENSOR(ffn, dim, "model.layers.%u.mlp.up_proj.weight", i);
        TENSOR(dim, ffn, "model.layers.%u.mlp.down_proj.weight", i);
    }
#undef TENSOR
    header[used++] = '}';
    for (int i = 0; i < 8; i++)
        header[i] = (char)((uint64_t)(used - 8) >> (8 * i));
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    file_put(path, header, used);
    assert_int_equal(truncate(path, (off_t)(used + offset)), 0);
    free(header);
}

/* Memory does not grow with the model: 1 GiB of weights, at most 64 MiB of memory, of which the
 * promise (256 MiB and the largest row block) is the outer bound. */
static void test_memory_is_bounded(void **state)
{
    (void)state;
    struct rusage before, after;
    write_sparse(FOLDER "/sparse", 5, 2048, 6144);
    clean();
    getrusage(RUSAGE_CHILDREN, &before);
    struct ran ran = LICHEN("convert", FOLDER "/sparse", "-o", OUTPUT, "--type", "q4_0", "--proof",
                            "never", "--threads", "4");
    assert_done(&ran);
    ran_free(&ran);
    getrusage(RUSAGE_CHILDREN, &after);
    struct stat status;
    assert_int_equal(stat(FOLDER "/sparse/model.safetensors", &status), 0);
    assert_true(status.st_size > 1000 * 1000 * 1000);
    print_message("%ld KiB of memory for %lld bytes\n", after.ru_maxrss, (long long)status.st_size);
#ifndef __SANITIZE_ADDRESS__
    assert_true(after.ru_maxrss < 64 * 1024);
#endif
    unlink(FOLDER "/sparse/model.safetensors");
    clean();
}

/* Nothing is opened but what was named, libraries and what the C library looks at; nothing is
 * executed, no socket is made. */
static void test_opens_nothing_else(void **state)
{
    (void)state;
    char command[4096], line[4096];
#ifdef __SANITIZE_ADDRESS__
    SKIP("strace and the leak checker do not go together");
#endif
    if (system("strace -o /dev/null true >/dev/null 2>&1") != 0)
        SKIP("strace is not here");
    clean();
    snprintf(
        command, sizeof command,
        "strace -f -o %s/trace -e trace=%%file,execve,execveat,socket,connect %s convert %s -o "
        "%s --type q4_0 --quiet",
        FOLDER, LICHEN_PROGRAM, SOURCE, OUTPUT);
    assert_int_equal(system(command), 0);
    static const char *const allowed[] = {FOLDER "/",          "/lib/",  "/usr/lib/",
                                          "/etc/ld.so.",       "/proc/", "/sys/",
                                          "/usr/share/locale", "/dev/",  "/etc/localtime"};
    FILE *trace = fopen(FOLDER "/trace", "r");
    int opened = 0, executed = 0;
    assert_non_null(trace);
    while (fgets(line, sizeof line, trace)) {
        assert_null(strstr(line, " socket("));
        assert_null(strstr(line, " connect("));
        executed += strstr(line, " execve") != NULL;
        char *call = strstr(line, " open"), *path = call ? strchr(call, '"') : NULL;
        if (!path || strstr(line, "ENOENT"))
            continue;
        bool known = false;
        for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++)
            known |= strncmp(path + 1, allowed[i], strlen(allowed[i])) == 0;
        if (!known)
            fail_msg("opened: %s", line);
        opened++;
    }
    fclose(trace);
    assert_int_equal(executed, 1); /* itself */
    assert_true(opened > 3);
    unlink(FOLDER "/trace");
    clean();
}

/* The folder of llama.cpp's library: LICHEN_PEER, or where `./setup bench` puts it. */
static const char *peer_folder(void)
{
    const char *folder = getenv("LICHEN_PEER");
    return folder ? folder
                  : LICHEN_ROOT "/build/peer/node_modules/@node-llama-cpp/linux-x64-vulkan/bins/"
                                "linux-x64-vulkan";
}

/* Files of every type are loaded and run by llama.cpp. */
static void test_loads_in_llama_cpp(void **state)
{
    (void)state;
    static const char *const types[] = {"f32",    "f16",    "bf16", "q8_0",   "q4_0",
                                        "q4_1",   "q5_0",   "q5_1", "q4_k_s", "q4_k_m",
                                        "q5_k_s", "q5_k_m", "q6_k", "iq4_nl", "iq4_xs"};
    char command[2048];
    if (access(peer_folder(), F_OK) != 0)
        SKIP("llama.cpp's library is not here (LICHEN_PEER, or ./setup bench)");
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        double seconds = -1;
        convert(types[i]);
        snprintf(command, sizeof command,
                 "printf 'prefill 4\\nquit\\n' | %s %s %s 64 2>%s/peer.log", LICHEN_PEER_PROGRAM,
                 peer_folder(), OUTPUT, FOLDER);
        FILE *pipe = popen(command, "r");
        assert_non_null(pipe);
        int found = fscanf(pipe, "ready %*f %lf", &seconds);
        int status = pclose(pipe);
        if (status != 0 || found != 1 || seconds < 0)
            fail_msg("%s: llama.cpp: status %d; see %s/peer.log", types[i], status, FOLDER);
    }
    unlink(FOLDER "/peer.log");
}

static int finish(void **state)
{
    (void)state;
    clean();
    unlink(SOURCE);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_is_bounded), /* first: children's largest is what counts */
        cmocka_unit_test(test_usage),
        cmocka_unit_test(test_dry_run),
        cmocka_unit_test(test_report),
        cmocka_unit_test(test_verify),
        cmocka_unit_test(test_verify_names_what_is_wrong),
        cmocka_unit_test(test_runs),
        cmocka_unit_test(test_force_and_resume),
        cmocka_unit_test(test_opens_nothing_else),
        cmocka_unit_test(test_loads_in_llama_cpp),
    };
    return cmocka_run_group_tests(tests, prepare, finish);
}
