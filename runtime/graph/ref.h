/* ref.h: the inside of exec_ref, shared by its files ref_*.c. A step is run by one function that
 * reads and writes whole buffers; work is spread by parallel_for over rows of weights (matmul),
 * heads (attention) or tokens (the rest), and every output float is computed by one thread in a
 * fixed order: neither the thread count nor the cutting of a prompt into runs changes a bit. */
#ifndef LICHEN_REF_H
#define LICHEN_REF_H

#include "exec.h"

enum {
    REF_KEY_TILE = 64,   /* keys that are decoded together; tiles begin at multiples of it */
    REF_QUERY_TILE = 8,  /* tokens whose queries share the decoded keys */
};

struct ref_replacement { /* of a matrix; info NULL: none */
    const struct dtype_info *info;
    const void *blocks; /* caller's */
};

struct ref_weights {
    struct arena arena;
    const struct plan *plan;
    uint8_t **blocks; /* [weight_count] the tensor's bytes as in the file */
    float **vectors;  /* [weight_count] weights of one row decoded, NULL for matrices */
    struct ref_replacement *replaced; /* [weight_count] */
};

struct ref_cache { /* one layer: [kv_heads][context] rows of row_size bytes */
    uint8_t *k, *v;
};

struct exec_ref {
    struct exec exec;
    struct arena arena; /* everything below, and this struct's arrays */
    const struct ref_weights *weights;
    struct parallel *parallel;
    enum kv_type kv;
    float **slots;              /* [slot_count] [rows, slot_width] */
    float *rope[PLAN_ROPE_MAX]; /* [context][dims / 2] {cos, sin} */
    struct ref_cache *layers;   /* [layer_count] */
    float **scratch;            /* [threads] ref_scratch_count() floats */
    int32_t *tokens;            /* [batch_max] of the last run */
    const struct plan_linear *linears; /* [linear_count], caller's */
    uint32_t linear_count;
    exec_watch *watch; /* NULL: nobody looks */
    void *watch_context;
    struct batch batch;         /* the last run, tokens = the copy; count 0 = none */
};

static inline const struct plan_buffer *ref_buffer(const struct exec_ref *ref, uint32_t buffer)
{
    return &ref->exec.plan->buffers[buffer];
}

/* Row 0 of a plan buffer. */
static inline float *ref_data(const struct exec_ref *ref, uint32_t buffer)
{
    return ref->slots[ref_buffer(ref, buffer)->slot];
}

/* Rows that a buffer has in this run. */
static inline uint32_t ref_rows(const struct exec_ref *ref, uint32_t buffer)
{
    return ref_buffer(ref, buffer)->rows == ROWS_TOKENS ? ref->batch.count : ref->batch.outputs;
}

/* A weight of one row, decoded; NULL when the step has none. */
static inline const float *ref_vector(const struct exec_ref *ref, struct weight_ref weight)
{
    return weight.weight == PLAN_NONE ? NULL : ref->weights->vectors[weight.weight];
}

/* Decodes count rows of a matrix, or of what replaces it, from row on; dst [count][cols]. */
void ref_weights_decode(const struct ref_weights *weights, uint32_t weight, uint32_t row,
                        uint32_t count, float *dst);

/* sum_i a[i] b[i] in the order of ref_tile.h. */
float ref_dot(const float *a, const float *b, uint32_t count);

/* ---- KV cache (ref_kv.c) ---- */

uint64_t ref_kv_row_size(enum kv_type kv, uint32_t head_dim);
/* Floats of a decoded row: head_dim, rounded up to whole blocks. */
uint32_t ref_kv_row_floats(enum kv_type kv, uint32_t head_dim);
void ref_kv_encode(enum kv_type kv, const float *src, uint32_t head_dim, uint8_t *row);
/* Decodes the rows of positions first .. first+count of a kv head. */
void ref_kv_decode(const struct exec_ref *ref, const uint8_t *cache, uint32_t layer, uint32_t head,
                   uint32_t first, uint32_t count, float *dst);

/* ---- steps ---- */

void ref_embed(struct exec_ref *ref, const struct step *step);
void ref_norm(struct exec_ref *ref, const struct step *step);
void ref_matmul(struct exec_ref *ref, const struct step *step);
void ref_rope(struct exec_ref *ref, const struct step *step);
void ref_kv_store(struct exec_ref *ref, const struct step *step);
void ref_attention(struct exec_ref *ref, const struct step *step);
void ref_glu(struct exec_ref *ref, const struct step *step);
void ref_activation(struct exec_ref *ref, const struct step *step);
void ref_add(struct exec_ref *ref, const struct step *step);
void ref_select(struct exec_ref *ref, const struct step *step);
void ref_softcap(struct exec_ref *ref, const struct step *step);

/* Floats of scratch that a thread needs. */
uint64_t ref_matmul_scratch(uint32_t cols);
uint64_t ref_attention_scratch(const struct plan *plan, enum kv_type kv);

#endif
