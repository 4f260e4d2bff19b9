/* peer_llama.c: drives llama.cpp's prebuilt library (npm @node-llama-cpp/linux-x64[-vulkan]) for
 * the speed comparison. A program of its own: nothing of it is linked into lichen.
 *
 * usage: lichen-peer FOLDER MODEL CONTEXT     FOLDER holds libllama*.so
 * Then one command a line on stdin, one answer a line on stdout, times in seconds:
 *   prefill N    clears the cache, runs N tokens in one batch, computes the last logits
 *   decode N     clears the cache, feeds one token, then N greedy tokens one by one
 *   quit
 *
 * The parameter structs of llama.h change with the version; only their first members are used here.
 * They are larger than 16 bytes, so the System V x86-64 ABI passes and returns them in memory: a
 * struct that is larger than the callee's has the callee's as its prefix. x86-64 Linux only. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct model_params { /* llama_model_params, prefix */
    void *devices, *overrides;
    int32_t gpu_layers;
    char rest[1004];
};

struct context_params { /* llama_context_params, prefix */
    uint32_t context, batch, ubatch, sequences;
    char rest[1008];
};

struct llama_batch { /* whole, as llama_batch_get_one returns it */
    int32_t count;
    int32_t *tokens;
    float *embeddings;
    int32_t *positions, *sequence_counts;
    int32_t **sequences;
    int8_t *logits;
};

#define FUNCTIONS                                                                                  \
    X(void, ggml_backend_load_all_from_path, (const char *))                                       \
    X(void, llama_backend_init, (void))                                                            \
    X(void, llama_log_set, (void (*)(int, const char *, void *), void *))                          \
    X(struct model_params, llama_model_default_params, (void))                                     \
    X(struct context_params, llama_context_default_params, (void))                                 \
    X(void *, llama_model_load_from_file, (const char *, struct model_params))                     \
    X(void *, llama_init_from_model, (void *, struct context_params))                              \
    X(const void *, llama_model_get_vocab, (const void *))                                         \
    X(int32_t, llama_vocab_n_tokens, (const void *))                                               \
    X(void *, llama_get_memory, (const void *))                                                    \
    X(void, llama_memory_clear, (void *, _Bool))                                                   \
    X(struct llama_batch, llama_batch_get_one, (int32_t *, int32_t))                               \
    X(int32_t, llama_decode, (void *, struct llama_batch))                                         \
    X(float *, llama_get_logits_ith, (void *, int32_t))                                            \
    X(void, llama_set_n_threads, (void *, int32_t, int32_t))

#define X(result, name, arguments) static result(*name) arguments;
FUNCTIONS
#undef X

struct peer {
    void *context;
    int32_t vocab;
};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void quiet(int level, const char *text, void *context)
{
    (void)context;
    if (level >= 4 || getenv("LICHEN_PEER_VERBOSE"))
        fputs(text, stderr);
}

/* Opens the library of folder whose name begins with prefix, globally. */
static void *open_library(const char *folder, const char *prefix)
{
    DIR *directory = opendir(folder);
    void *library = NULL;
    for (struct dirent *entry; directory && !library && (entry = readdir(directory));) {
        char path[4096];
        if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        library = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
        if (!library)
            fprintf(stderr, "lichen-peer: %s\n", dlerror());
    }
    if (directory)
        closedir(directory);
    return library;
}

static int load_functions(const char *folder)
{
    void *base = open_library(folder, "libggml-base");
    void *ggml = open_library(folder, "libggml.");
    void *llama = open_library(folder, "libllama.");
    if (!base || !ggml || !llama)
        return 0;
    (void)base;
    int found = 1;
#define X(result, name, arguments)                                                                 \
    *(void **)&name = dlsym(llama, #name);                                                         \
    if (!name)                                                                                     \
        *(void **)&name = dlsym(ggml, #name);                                                      \
    if (!name) {                                                                                   \
        fprintf(stderr, "lichen-peer: %s: no function %s\n", folder, #name);                       \
        found = 0;                                                                                 \
    }
    FUNCTIONS
#undef X
    return found;
}

static int peer_open(struct peer *peer, const char *folder, const char *model_path, uint32_t size)
{
    if (!load_functions(folder))
        return 0;
    llama_log_set(quiet, NULL);
    ggml_backend_load_all_from_path(folder);
    llama_backend_init();
    struct model_params model_params = llama_model_default_params();
    model_params.gpu_layers = 999;
    void *model = llama_model_load_from_file(model_path, model_params);
    if (!model)
        return 0;
    struct context_params params = llama_context_default_params();
    params.context = size;
    params.batch = params.ubatch = 512;
    peer->context = llama_init_from_model(model, params);
    if (!peer->context)
        return 0;
    llama_set_n_threads(peer->context, 2, 2);
    peer->vocab = llama_vocab_n_tokens(llama_model_get_vocab(model));
    return 1;
}

static int32_t largest(const float *logits, int32_t count)
{
    int32_t best = 0;
    for (int32_t i = 1; i < count; i++)
        if (logits[i] > logits[best])
            best = i;
    return best;
}

static int run(struct peer *peer, int32_t *tokens, int32_t count, int32_t *next)
{
    if (llama_decode(peer->context, llama_batch_get_one(tokens, count)) != 0)
        return 0;
    *next = largest(llama_get_logits_ith(peer->context, -1), peer->vocab);
    return 1;
}

static double prefill(struct peer *peer, int32_t count)
{
    int32_t tokens[4096], next;
    if (count < 1 || count > 4096)
        return -1;
    for (int32_t i = 0; i < count; i++)
        tokens[i] = 1000 + i * 7 % 5000;
    llama_memory_clear(llama_get_memory(peer->context), 1);
    double start = now();
    return run(peer, tokens, count, &next) ? now() - start : -1;
}

static double decode(struct peer *peer, int32_t count)
{
    int32_t token = 1000;
    llama_memory_clear(llama_get_memory(peer->context), 1);
    if (!run(peer, &token, 1, &token))
        return -1;
    double start = now();
    for (int32_t i = 0; i < count; i++)
        if (!run(peer, &token, 1, &token))
            return -1;
    return now() - start;
}

int main(int argc, char **argv)
{
    struct peer peer;
    if (argc != 4) {
        fprintf(stderr, "usage: lichen-peer FOLDER MODEL CONTEXT\n");
        return 2;
    }
    double start = now();
    if (!peer_open(&peer, argv[1], argv[2], (uint32_t)strtoul(argv[3], NULL, 10))) {
        fprintf(stderr, "lichen-peer: %s cannot be run from %s\n", argv[2], argv[1]);
        return 1;
    }
    printf("ready %.6f\n", now() - start);
    fflush(stdout);
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        int count = 0;
        if (sscanf(line, "prefill %d", &count) == 1)
            printf("%.6f\n", prefill(&peer, count));
        else if (sscanf(line, "decode %d", &count) == 1)
            printf("%.6f\n", decode(&peer, count));
        else
            break;
        fflush(stdout);
    }
    fflush(NULL);
    _Exit(0); /* the library's own teardown may hang on lavapipe */
}
