/* ref_attention.c:  o = softmax(scale q K^T [softcap] + alibi + mask) V
 *
 * One item is a kv head and a few tokens. Keys and values are decoded a tile at a time and meet all
 * queries that use them; the softmax runs along (m = largest score so far, l = sum of exp(s - m)):
 *   m' = max(m, scores), l = l exp(m - m') + sum exp(s - m'), o = o exp(m - m') + sum exp(s - m') v
 * Tiles begin at multiples of REF_KEY_TILE, so the order of a query's sums depends on its position
 * alone. A query that sees no key gives 0. */
#include "ref.h"
#include <math.h>

struct attention {
    struct exec_ref *ref;
    const struct attention_params *params;
    const float *q; /* [tokens, heads * head_dim] */
    float *out;     /* the same */
    uint32_t query_tiles;
};

struct query {
    const float *q;
    float *out; /* [head_dim], the running o */
    float m, l;
    uint32_t head, position;
    uint32_t first, end; /* keys it sees */
};

struct tile {
    const float *k, *v; /* [count] rows of stride floats */
    uint32_t stride, first, count;
};

uint64_t ref_attention_scratch(const struct plan *plan, enum kv_type kv)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        uint64_t count = 2ULL * REF_KEY_TILE * ref_kv_row_floats(kv, plan->layers[i].head_dim);
        most = count > most ? count : most;
    }
    return most;
}

static void query_range(const struct attention *attention, struct query *query)
{
    const struct batch *batch = &attention->ref->batch;
    uint32_t window = attention->params->window;
    query->end = query->position + 1;
    if (attention->params->mask == MASK_PREFIX && batch->prefix > query->end)
        query->end = batch->prefix;
    query->first = 0;
    if (window != 0 && query->position + 1 > window)
        query->first = query->position + 1 - window;
}

static void query_begin(const struct attention *attention, uint32_t token, uint32_t head,
                        struct query *query)
{
    const struct attention_params *params = attention->params;
    size_t offset = ((size_t)token * params->heads + head) * params->head_dim;
    *query = (struct query){
        .q = attention->q + offset,
        .out = attention->out + offset,
        .m = -INFINITY,
        .head = head,
        .position = attention->ref->batch.position + token,
    };
    query_range(attention, query);
    for (uint32_t i = 0; i < params->head_dim; i++)
        query->out[i] = 0;
}

static float query_score(const struct attention_params *params, const struct query *query,
                         const struct tile *tile, uint32_t j)
{
    float score =
        params->scale * ref_dot(query->q, tile->k + (size_t)j * tile->stride, params->head_dim);
    if (params->softcap > 0)
        score = params->softcap * tanhf(score / params->softcap);
    if (params->alibi_slopes)
        score +=
            params->alibi_slopes[query->head] * ((float)(tile->first + j) - (float)query->position);
    return score;
}

static void query_rescale(struct query *query, float m, uint32_t head_dim)
{
    float factor = expf(query->m - m); /* 0 at the first tile: m was -inf */
    query->m = m;
    query->l *= factor;
    for (uint32_t i = 0; i < head_dim; i++)
        query->out[i] *= factor;
}

static void query_tile(const struct attention_params *params, struct query *query,
                       const struct tile *tile)
{
    uint32_t begin = query->first > tile->first ? query->first - tile->first : 0;
    uint32_t end = query->end < tile->first + tile->count ? query->end - tile->first : tile->count;
    float scores[REF_KEY_TILE];
    float m = query->m;
    if (query->end <= tile->first || begin >= end)
        return;
    for (uint32_t j = begin; j < end; j++) {
        scores[j] = query_score(params, query, tile, j);
        m = scores[j] > m ? scores[j] : m;
    }
    if (m > query->m)
        query_rescale(query, m, params->head_dim);
    for (uint32_t j = begin; j < end; j++) {
        const float *v = tile->v + (size_t)j * tile->stride;
        float weight = expf(scores[j] - m);
        query->l += weight;
        for (uint32_t i = 0; i < params->head_dim; i++)
            query->out[i] += weight * v[i];
    }
}

static void query_end(struct query *query, uint32_t head_dim)
{
    for (uint32_t i = 0; i < head_dim; i++)
        query->out[i] = query->end > query->first ? query->out[i] / query->l : 0;
}

static void tile_decode(const struct attention *attention, uint32_t kv_head, uint32_t first,
                        uint32_t count, float *scratch, struct tile *tile)
{
    struct exec_ref *ref = attention->ref;
    const struct attention_params *params = attention->params;
    const struct ref_cache *cache = &ref->layers[params->layer];
    uint32_t stride = ref_kv_row_floats(ref->kv, params->head_dim);
    float *k = scratch, *v = scratch + (size_t)REF_KEY_TILE * stride;
    ref_kv_decode(ref, cache->k, params->layer, kv_head, first, count, k);
    ref_kv_decode(ref, cache->v, params->layer, kv_head, first, count, v);
    *tile = (struct tile){k, v, stride, first, count};
}

/* The queries of one head of the group, over all keys that any of them sees. */
static void queries_run(const struct attention *attention, uint32_t kv_head, struct query *queries,
                        uint32_t count, float *scratch)
{
    uint32_t first = UINT32_MAX, end = 0;
    for (uint32_t i = 0; i < count; i++) {
        first = queries[i].first < first ? queries[i].first : first;
        end = queries[i].end > end ? queries[i].end : end;
    }
    for (uint32_t key = first - first % REF_KEY_TILE; key < end; key += REF_KEY_TILE) {
        struct tile tile;
        uint32_t left = end - key;
        tile_decode(attention, kv_head, key, left < REF_KEY_TILE ? left : REF_KEY_TILE, scratch,
                    &tile);
        for (uint32_t i = 0; i < count; i++)
            query_tile(attention->params, &queries[i], &tile);
    }
}

enum { QUERIES_MAX = 64 };

static void attention_item(void *context, uint32_t item, uint32_t thread)
{
    const struct attention *attention = context;
    const struct attention_params *params = attention->params;
    uint32_t kv_head = item / attention->query_tiles, group = params->heads / params->kv_heads;
    uint32_t token = item % attention->query_tiles * REF_QUERY_TILE;
    uint32_t left = attention->ref->batch.count - token;
    uint32_t tokens = left < REF_QUERY_TILE ? left : REF_QUERY_TILE;
    struct query queries[QUERIES_MAX];
    for (uint32_t i = 0; i < tokens * group;) {
        uint32_t count = 0;
        for (; count < QUERIES_MAX && i < tokens * group; i++)
            query_begin(attention, token + i / group, kv_head * group + i % group,
                        &queries[count++]);
        queries_run(attention, kv_head, queries, count, attention->ref->scratch[thread]);
        for (uint32_t j = 0; j < count; j++)
            query_end(&queries[j], params->head_dim);
    }
}

void ref_attention(struct exec_ref *ref, const struct step *step)
{
    uint32_t tokens = ref->batch.count;
    struct attention attention = {
        .ref = ref,
        .params = &step->attention,
        .q = ref_data(ref, step->input[0]),
        .out = ref_data(ref, step->output),
        .query_tiles = tokens / REF_QUERY_TILE + (tokens % REF_QUERY_TILE != 0),
    };
    parallel_for(ref->parallel, step->attention.kv_heads * attention.query_tiles, attention_item,
                 &attention);
}
