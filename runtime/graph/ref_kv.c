/* ref_kv.c: the KV cache. A row holds the key or value of one position and head in blocks of the
 * cache's type; a head that is no whole number of blocks is filled up with zeros.
 *   Q8_0:  d = half(max|x| / 127), q = round(x / d) */
#include "ref.h"
#include "block.h"
#include "half.h"
#include <math.h>
#include <string.h>

static const struct dtype_info *kv_dtype(enum kv_type kv)
{
    switch (kv) {
    case KV_F16:
        return dtype_find(DTYPE_F16);
    case KV_F32:
        return dtype_find(DTYPE_F32);
    case KV_Q8_0:
        break;
    }
    return dtype_find(DTYPE_Q8_0);
}

static uint32_t kv_blocks(enum kv_type kv, uint32_t head_dim)
{
    uint32_t weights = kv_dtype(kv)->block_weights;
    return head_dim / weights + (head_dim % weights != 0);
}

uint64_t ref_kv_row_size(enum kv_type kv, uint32_t head_dim)
{
    return (uint64_t)kv_blocks(kv, head_dim) * kv_dtype(kv)->block_size;
}

uint32_t ref_kv_row_floats(enum kv_type kv, uint32_t head_dim)
{
    return kv_blocks(kv, head_dim) * kv_dtype(kv)->block_weights;
}

/* What is not finite, or too large for a half scale, makes the block NaN: a failure must show. */
static void encode_q8_0(const float *src, uint32_t count, uint8_t *dst)
{
    float largest = 0;
    bool finite = true;
    for (uint32_t i = 0; i < count; i++) {
        finite = finite && isfinite(src[i]);
        largest = fmaxf(largest, fabsf(src[i]));
    }
    struct block_q8_0 block = {.d = half_from_float(finite ? largest / 127 : NAN)};
    float scale = half_to_float(block.d);
    for (uint32_t i = 0; i < count && scale > 0 && scale < INFINITY; i++) {
        float q = roundf(src[i] / scale);
        block.qs[i] = (int8_t)(q > 127 ? 127 : q < -127 ? -127 : q);
    }
    memcpy(dst, &block, sizeof block);
}

void ref_kv_encode(enum kv_type kv, const float *src, uint32_t head_dim, uint8_t *row)
{
    if (kv == KV_F32) {
        memcpy(row, src, head_dim * sizeof *src);
    } else if (kv == KV_F16) {
        for (uint32_t i = 0; i < head_dim; i++) {
            uint16_t bits = half_from_float(src[i]);
            memcpy(row + i * sizeof bits, &bits, sizeof bits);
        }
    } else {
        for (uint32_t i = 0; i < head_dim; i += BLOCK_WEIGHTS) {
            uint32_t left = head_dim - i;
            encode_q8_0(src + i, left < BLOCK_WEIGHTS ? left : BLOCK_WEIGHTS,
                        row + i / BLOCK_WEIGHTS * sizeof(struct block_q8_0));
        }
    }
}

static size_t row_offset(const struct exec_ref *ref, uint32_t layer, uint32_t head,
                         uint32_t position)
{
    uint32_t head_dim = ref->exec.plan->layers[layer].head_dim;
    return ((size_t)head * ref->exec.context + position) * ref_kv_row_size(ref->kv, head_dim);
}

void ref_kv_decode(const struct exec_ref *ref, const uint8_t *cache, uint32_t layer, uint32_t head,
                   uint32_t first, uint32_t count, float *dst)
{
    uint32_t head_dim = ref->exec.plan->layers[layer].head_dim;
    kv_dtype(ref->kv)->decode(cache + row_offset(ref, layer, head, first), dst,
                              (size_t)count * kv_blocks(ref->kv, head_dim));
}

void ref_kv_store(struct exec_ref *ref, const struct step *step)
{
    const struct kv_store_params *store = &step->kv_store;
    const float *k = ref_data(ref, step->input[0]), *v = ref_data(ref, step->input[1]);
    struct ref_cache *cache = &ref->layers[store->layer];
    for (uint32_t t = 0; t < ref->batch.count; t++)
        for (uint32_t head = 0; head < store->kv_heads; head++) {
            size_t offset = row_offset(ref, store->layer, head, ref->batch.position + t);
            ref_kv_encode(ref->kv, k, store->head_dim, cache->k + offset);
            ref_kv_encode(ref->kv, v, store->head_dim, cache->v + offset);
            k += store->head_dim;
            v += store->head_dim;
        }
}
