/* internal.h: what the files of engine/ share. Not installed. */
#ifndef LICHEN_ENGINE_INTERNAL_H
#define LICHEN_ENGINE_INTERNAL_H

#include "exec_gpu.h"
#include "lichen.h"
#include "model.h"
#include "stream.h"
#include "template.h"
#include <threads.h>

struct lichen_engine {
    struct arena arena; /* strings of options and info */
    struct gguf *gguf;
    struct tokenizer *tokenizer;
    bool tokenizer_shared;     /* another engine's */
    struct template *template; /* NULL: none in the file, or template_fault says why */
    struct fault template_fault;
    struct plan plan;
    struct model_info info;
    struct gguf_string template_source; /* bytes NULL = none */
    const char *model_path, *device_choice, *cache_folder, *name, *chat_template;
    enum activation_format activations;
    bool exact, vocabulary_only, on_cpu;
    struct lichen_device device_info;
    struct parallel *parallel;
    struct ref_weights *ref_weights; /* on_cpu */
    struct plan_linear *linears;     /* [linear_count], arena */
    uint32_t linear_count;
    bool layers_chosen;
    uint32_t gpu_layers;       /* with layers_chosen */
    uint32_t host_layers;      /* of the loaded weights */
    uint64_t memory_limit;     /* bytes of device memory; 0 = none */
    struct gpu_device *device; /* else */
    struct gpu_weights *gpu_weights;
    mtx_t lock; /* device, weights, sessions' executors */
    bool lock_ready;
    struct lichen_session *sessions; /* list of open ones */
    uint32_t generation;             /* grows with every rebuilt device */
    uint64_t loss_times[3];          /* clock_ns of the last losses, newest first */
};

struct lichen_session {
    struct lichen_engine *engine;
    struct lichen_session *next;
    struct exec *exec;   /* NULL after a device loss until rebuilt */
    uint32_t generation; /* of the engine that exec belongs to */
    uint32_t context, batch, outputs;
    enum kv_type kv;
    struct sampler *sampler;
    struct sampler_options sampler_options;
    struct arena sampler_arena; /* copies of biases and breakers */
    int32_t *tokens;            /* [context], what the KV cache holds */
    uint32_t count;
    uint32_t cached; /* of the tokens, in the KV cache; below count where plan.prefix_mask */
    uint32_t prefix; /* plan.prefix_mask: of the cached tokens */
    uint32_t scored; /* tokens up to the last whose logits lichen_feed_logits gave */
    bool fresh; /* the last run computed the logits of tokens[count - 1] */
    volatile bool cancelled;
    int32_t *top_ids; /* [vocab] scratch of pick */
    float *top_logits;
    struct lichen_stats stats;
};

/* engine.c */
bool engine_header(struct lichen_engine *engine, const struct lichen_engine_options *options,
                   struct fault *fault);
struct lichen_engine *engine_new(const struct lichen_engine_options *options, struct fault *fault);
/* device.c */
bool engine_device_open(struct lichen_engine *engine, struct fault *fault);
bool engine_weights_load(struct lichen_engine *engine, progress_fn progress, void *context,
                         struct fault *fault);
void engine_device_close(struct lichen_engine *engine);
/* After FAULT_DEVICE_LOST, with the lock held: drops every executor, reopens the device, loads the
 * weights again. Fails for good after three losses in ten minutes. */
bool engine_recover(struct lichen_engine *engine, struct fault *fault);
/* linear.c: the table of linear layers, once the plan stands */
bool engine_linears(struct lichen_engine *engine, struct fault *fault);
/* memory.c */
void session_shape(const struct lichen_engine *engine, const struct lichen_session_options *options,
                   uint32_t *context, uint32_t *batch, uint32_t *outputs);
/* Decides host_layers. session NULL: for the default one, and never a refusal. */
bool engine_layers_place(struct lichen_engine *engine, const struct lichen_session_options *session,
                         struct fault *fault);
/* session.c */
bool session_exec_create(struct lichen_session *session, struct fault *fault);

#endif
