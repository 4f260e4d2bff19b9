/* lichen.h: the C API of lichen. Everything the program `lichen` does goes through it.
 *
 *   engine   a loaded model: file, vocabulary, template, device, weights. Immutable after open.
 *   session  one conversation: KV cache, token history, sampler. Many per engine.
 *
 * Ownership: what *_open or *_create gave is closed by its owner with *_close/_destroy; pointers
 * returned by getters belong to the engine or session and live as long as it. Text is UTF-8; text
 * that this API allocates is freed with lichen_free.
 * Threads: an engine may be used by many threads for tokenizing and rendering. Sessions of one
 * engine share its device: the engine serialises their runs with a lock. One session is used by one
 * thread at a time, except lichen_cancel, which may be called from any thread or signal handler.
 * Errors: false and a struct fault (fault.h); kind and one line that names path, tensor, limit.
 * Units: sizes in bytes, times in nanoseconds, positions and counts in tokens. */
#ifndef LICHEN_H
#define LICHEN_H

#include "fault.h"
#include "sampler.h"
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define LICHEN_API __attribute__((visibility("default")))
#else
#define LICHEN_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

LICHEN_API const char *lichen_version(void); /* "0.1.0" */
LICHEN_API void lichen_free(void *memory);

/* ---- devices ---- */

enum { LICHEN_HEAP_MAX = 16 };

struct lichen_heap {
    uint64_t capacity, free; /* bytes; free by the driver's budget where it tells, else capacity */
    bool device_local, host_visible;
};

struct lichen_device {
    int32_t index; /* the number that `choice` takes; -1 = none (the C executor: "cpu") */
    char name[256];
    char uuid[37];
    char type[16]; /* "discrete", "integrated", "virtual", "software", "cpu" */
    char driver[256];
    char api[24];       /* "1.4.305" */
    char features[512]; /* those lichen uses, comma-separated */
    char limits[512];   /* those that bind */
    char reason[256];   /* why it is chosen or not */
    bool chosen, usable;
    uint32_t heap_count;
    struct lichen_heap heaps[LICHEN_HEAP_MAX];
};

/* All Vulkan devices and, last, the C executor ("cpu"). choice as in lichen_engine_options.device.
 * *devices: count items, freed with lichen_free. */
LICHEN_API bool lichen_devices(const char *choice, struct lichen_device **devices, size_t *count,
                               struct fault *fault);

/* ---- engine ---- */

enum lichen_kv { LICHEN_KV_F16, LICHEN_KV_F32, LICHEN_KV_Q8_0 };
enum lichen_activations {
    LICHEN_ACTIVATIONS_AUTO, /* 16 bits where the device has packed dots, float on a software one */
    LICHEN_ACTIVATIONS_16,
    LICHEN_ACTIVATIONS_8, /* costs about as much truth as 4-bit weights do: a choice, no default */
    LICHEN_ACTIVATIONS_FLOAT
};

/* A GGUF header in memory, without tensor data: the weights are made up, the same every time, finite
 * and of usual size. It loads and runs as a file does; what it says means nothing. For measuring
 * speed. */
struct lichen_synthetic {
    const void *header; /* [size], read at open only */
    size_t size;
};

struct lichen_session_options;

struct lichen_engine_options {
    const char *model;        /* path of a GGUF file; of a split one any shard */
    const struct lichen_synthetic *synthetic; /* instead of a file; model then names it in messages;
                                                 NULL = none */
    const char *device;       /* NULL = best Vulkan device; index, part of a name, UUID, "cpu" */
    const char *cache_folder; /* pipeline cache and such; NULL = none is kept */
    uint32_t threads;         /* of the C executor and of loading; 0 = all processors */
    enum lichen_activations activations;
    bool exact;               /* float activations, fixed reduction order */
    bool vocabulary_only;     /* tokenizer, template, metadata; no weights, no device */
    /* Another engine, closed after this one: when the vocabularies of both files (tokenizer.ggml.*)
     * are byte for byte the same, its tokenizer serves both, and of this file's metadata no array is
     * kept (lichen_entry shows them empty). NULL = a tokenizer of its own. */
    const struct lichen_engine *vocabulary;
    bool unfinished; /* the file of a converter at work: zeros in the place of its magic */
    /* Layers whose matrices lie in device memory, counted from the first; more than there are: all.
     * Not chosen: as many as fit beside a session. The rest lies in host memory, which the device
     * reads over the bus (slow): lichen_model_info.host_layers says how many. */
    bool layers_chosen;
    uint32_t gpu_layers;
    uint64_t memory; /* bytes of device memory that may be used; 0 = what is free */
    /* The session that there must be room for, or opening fails and names what fits; NULL: layers
     * are placed for the default session, and whether it fits shows later. */
    const struct lichen_session_options *session;
    /* Loading progress; returns false to give up (FAULT_CANCELLED). May be NULL. */
    bool (*progress)(void *context, uint64_t done, uint64_t total);
    void *progress_context;
};

struct lichen_engine;

LICHEN_API void lichen_engine_defaults(struct lichen_engine_options *options);
LICHEN_API bool lichen_engine_open(const struct lichen_engine_options *options,
                                   struct lichen_engine **out, struct fault *fault);
LICHEN_API void lichen_engine_close(struct lichen_engine *engine); /* after its sessions; NULL ok */

struct lichen_model_info {
    const char *path, *architecture, *name, *tokenizer, *pre; /* engine's; "" when unknown */
    const char *chat_template; /* source, NULL when the file has none */
    uint64_t file_size, tensor_size, parameters; /* bytes, bytes, weights */
    double bits_per_weight;                      /* 8 * tensor_size / parameters */
    uint32_t layers, dim, heads, kv_heads, head_dim, ffn_dim, vocab, context_trained;
    uint32_t host_layers; /* the last ones, whose matrices lie in host memory */
    uint32_t tensor_count, entry_count;
};
LICHEN_API void lichen_model_info(const struct lichen_engine *engine,
                                  struct lichen_model_info *info);

struct lichen_tensor {
    const char *name, *type;
    uint32_t dim_count;
    uint64_t dims[4]; /* dims[0] = length of a row */
    uint64_t size, offset;
};
LICHEN_API void lichen_tensor(const struct lichen_engine *engine, uint32_t index,
                              struct lichen_tensor *tensor);
/* Metadata entry: key, type text ("u32", "string", "array of f32 [49152]"), value text (arrays: the
 * first few items). value has room for size bytes. */
LICHEN_API void lichen_entry(const struct lichen_engine *engine, uint32_t index, const char **key,
                             char type[64], char *value, size_t size);

/* The device that runs the model ("" fields for vocabulary_only). */
LICHEN_API const struct lichen_device *lichen_engine_device(const struct lichen_engine *engine);
/* Computes on the host's processor, in the host's memory: a software driver or the C executor. */
LICHEN_API bool lichen_device_is_processor(const struct lichen_device *device);

/* ---- memory plan ---- */

struct lichen_plan_heap {
    char name[64]; /* "device-local", "host", "process memory" */
    uint64_t capacity, free;                             /* bytes */
    uint64_t weights, kv, activations, staging, total;   /* bytes that will be / are allocated */
};

struct lichen_plan {
    uint32_t context, batch;
    uint32_t layers, host_layers; /* of the model; of them in host memory */
    uint32_t heap_count;
    struct lichen_plan_heap heaps[LICHEN_HEAP_MAX];
    bool fits;
    char nearest[256]; /* when it does not fit: the nearest choice that does, "" when none */
};

struct lichen_session_options {
    uint32_t context;   /* positions; 0 = min(4096, what the model was trained for) */
    uint32_t batch;     /* tokens a run at most; 0 = chosen for the device */
    uint32_t outputs;   /* rows of logits kept of one run; 0 = 1 */
    enum lichen_kv kv;
    struct sampler_options sampler;
};
LICHEN_API void lichen_session_defaults(struct lichen_session_options *options);

/* What opening engine and session will allocate, before anything is: reads the file's header
 * only. */
LICHEN_API bool lichen_plan(const struct lichen_engine_options *engine,
                            const struct lichen_session_options *session, struct lichen_plan *plan,
                            struct fault *fault);
/* What engine and session have allocated, in the same form. */
struct lichen_session;
LICHEN_API void lichen_plan_used(const struct lichen_session *session, struct lichen_plan *plan);

/* ---- text ---- */

struct lichen_ids {
    int32_t *ids; /* [count], freed with lichen_free */
    size_t count;
};

/* bos: add what the file says (BOS/EOS, CLS/SEP). special: spellings of control tokens in the text
 * become those tokens; never true for what a user typed. */
LICHEN_API bool lichen_tokenize(const struct lichen_engine *engine, const char *text, size_t size,
                                bool bos, bool special, struct lichen_ids *out,
                                struct fault *fault);
LICHEN_API bool lichen_detokenize(const struct lichen_engine *engine, const int32_t *ids,
                                  size_t count, bool special, char **text, size_t *size,
                                  struct fault *fault);
LICHEN_API int32_t lichen_token_find(const struct lichen_engine *engine, const char *spelling);
LICHEN_API bool lichen_token_ends(const struct lichen_engine *engine, int32_t id);

/* Runs the file's chat template on a JSON object ("messages", "tools", ...; add_generation_prompt
 * defaults to true, bos_token and eos_token to the file's). No template in the file or a construct
 * outside the supported subset is a fault. */
LICHEN_API bool lichen_render(const struct lichen_engine *engine, const char *json, size_t size,
                              char **text, size_t *text_size, struct fault *fault);

struct lichen_message {
    const char *role, *content; /* UTF-8, NUL-terminated */
};
/* Messages through the template to ids, safely: spellings of control tokens inside a content stay
 * text. add_generation_prompt as named. */
LICHEN_API bool lichen_chat_ids(const struct lichen_engine *engine,
                                const struct lichen_message *messages, size_t count,
                                bool add_generation_prompt, struct lichen_ids *out,
                                struct fault *fault);

/* ---- session ---- */

LICHEN_API bool lichen_session_open(struct lichen_engine *engine,
                                    const struct lichen_session_options *options,
                                    struct lichen_session **out, struct fault *fault);
LICHEN_API void lichen_session_close(struct lichen_session *session); /* NULL is allowed */
LICHEN_API uint32_t lichen_session_context(const struct lichen_session *session);
LICHEN_API uint32_t lichen_session_count(const struct lichen_session *session); /* tokens held */

/* Appends tokens and computes their keys and values; afterwards lichen_next may be called. Fails
 * with FAULT_CONTEXT and does nothing when they do not fit. */
LICHEN_API bool lichen_feed(struct lichen_session *session, const int32_t *ids, size_t count,
                            struct fault *fault);
/* Makes the session hold exactly ids: keeps the common prefix, drops the rest, feeds what is new.
 * At least the last token is computed again, so that lichen_next may be called. *kept (may be
 * NULL) = tokens not computed again. ChatGLM-6B's prompt sees itself in both directions: of another
 * prompt nothing is kept. */
LICHEN_API bool lichen_feed_all(struct lichen_session *session, const int32_t *ids, size_t count,
                                size_t *kept, struct fault *fault);
/* Chooses the next token from the logits of the last one (sampler), without feeding it. */
LICHEN_API bool lichen_pick(struct lichen_session *session, int32_t *id, struct fault *fault);
/* pick, then feed: the usual step of a generation. */
LICHEN_API bool lichen_next(struct lichen_session *session, int32_t *id, struct fault *fault);
/* Keeps the first count tokens. */
LICHEN_API void lichen_rewind(struct lichen_session *session, uint32_t count);
/* Runs ids like lichen_feed and gives the logits of the last `rows` of them, [rows, vocab]. rows <=
 * session outputs or it is done in runs of that many (not within a prompt of ChatGLM-6B:
 * FAULT_UNSUPPORTED). */
LICHEN_API bool lichen_feed_logits(struct lichen_session *session, const int32_t *ids,
                                   size_t count, size_t rows, float *logits, struct fault *fault);
/* New sampler, history kept. */
LICHEN_API bool lichen_set_sampler(struct lichen_session *session,
                                   const struct sampler_options *options, struct fault *fault);
/* Ends the running or the next feed/next with FAULT_CANCELLED; async-signal-safe.
 * lichen_cancel_clear makes the session usable again; what was computed stays. */
LICHEN_API void lichen_cancel(struct lichen_session *session);
LICHEN_API void lichen_cancel_clear(struct lichen_session *session);

struct lichen_stats { /* since open or lichen_stats_reset */
    uint64_t prefill_tokens, prefill_ns; /* runs of more than one token, and the first of a feed */
    uint64_t decode_tokens, decode_ns;   /* runs of one token by lichen_next */
    uint64_t submissions;
    uint32_t dispatches_per_token, intervals_per_token; /* of the last decode */
    uint64_t bytes_per_token;                           /* weights read by it */
    const char *activations; /* "A16", "A8", "float32": what the last decode used */
    uint32_t recoveries; /* times a lost device was rebuilt */
};
LICHEN_API void lichen_stats(const struct lichen_session *session, struct lichen_stats *stats);
LICHEN_API void lichen_stats_reset(struct lichen_session *session);

/* ---- linear layers, for calibration: with the C executor (device "cpu") alone ---- */

struct lichen_linear {
    const char *weight;     /* name of the matrix, engine's */
    uint32_t rows, columns; /* of the matrix; columns = width of the input */
    uint32_t source;        /* equal for weights that are given the same input (q, k, v) */
    uint32_t layer;         /* UINT32_MAX outside the layers */
};

/* The matrix products of every token (not the head's), in the order in which they run. */
LICHEN_API uint32_t lichen_linear_count(const struct lichen_engine *engine);
LICHEN_API void lichen_linear(const struct lichen_engine *engine, uint32_t index,
                              struct lichen_linear *linear);
/* Called before a linear layer runs with its inputs, [tokens, columns], which are good until it
 * returns. False ends the feed with FAULT_CANCELLED. */
typedef bool lichen_watch(void *context, uint32_t index, const float *inputs, uint32_t tokens);
/* Every later feed of the session calls watch; NULL ends that. */
LICHEN_API bool lichen_session_watch(struct lichen_session *session, lichen_watch *watch,
                                     void *context, struct fault *fault);
/* Rows of a matrix of the file as floats: dst [row_count, length of a row]. */
LICHEN_API bool lichen_weight_rows(const struct lichen_engine *engine, const char *name,
                                   uint32_t first_row, uint32_t row_count, float *dst,
                                   struct fault *fault);
/* All sessions run with these blocks of all rows, of any GGUF type (its number), in the place of
 * the matrix, until NULL puts it back. blocks stay the caller's. */
LICHEN_API bool lichen_weight_replace(struct lichen_engine *engine, const char *name,
                                      uint32_t type, const void *blocks, struct fault *fault);

/* ---- where the time goes ---- */

struct lichen_kernel { /* dispatches that share everything up to cols */
    char kernel[64];    /* the shader */
    char operation[16]; /* of the model: "matmul", "attention", ...; "top": choosing tokens */
    char weights[16];   /* type of the matrix, "" = none */
    uint32_t rows, cols; /* of the matrix, 0 = none */
    uint32_t dispatches;
    double time_ns;
    uint64_t bytes;    /* of weights, and of keys and values where one token attends; 0 = unknown */
    uint64_t products; /* multiply-adds of a matrix product, else 0 */
};

struct lichen_kernels {
    struct lichen_kernel *items; /* [count], in order of first use; freed with lichen_free */
    size_t count;
    uint32_t tokens; /* of the run that was timed */
    double empty_ns; /* what an empty pair of timestamps shows: about what each call has too much */
};

/* Repeats the session's last run on the device with a barrier and a timestamp around every call and
 * gives the times. Nothing overlaps then, so their sum is more than the run takes. The session is as
 * before. FAULT_UNSUPPORTED on the C executor and where the device has no timestamps. */
LICHEN_API bool lichen_kernels(struct lichen_session *session, struct lichen_kernels *kernels,
                               struct fault *fault);

/* ---- streaming ---- */

struct lichen_stream; /* tokens to UTF-8 that can be shown, with stop strings */

LICHEN_API bool lichen_stream_open(const struct lichen_engine *engine, const char *const *stops,
                                   size_t stop_count, struct lichen_stream **out,
                                   struct fault *fault);
LICHEN_API void lichen_stream_close(struct lichen_stream *stream);
LICHEN_API bool lichen_stream_push(struct lichen_stream *stream, int32_t id, const char **text,
                                   size_t *size, bool *stopped, struct fault *fault);
LICHEN_API void lichen_stream_flush(struct lichen_stream *stream, const char **text, size_t *size);

#ifdef __cplusplus
}
#endif

#endif
