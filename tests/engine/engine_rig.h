/* engine_rig.h: the small trained model of ../shared behind the public API, for tests/engine. */
#ifndef LICHEN_TEST_ENGINE_RIG_H
#define LICHEN_TEST_ENGINE_RIG_H

#include "testing.h"

#include "lichen.h"

#define STORIES LICHEN_SHARED "/golden/models/stories260K/derived-stories260K-f32.gguf"

enum { STORIES_IDS = 200, STORIES_VOCAB = 512 };

struct rig {
    struct lichen_engine *engine;
    struct lichen_session *session;
};

/* Opens the stories model (skips where it is absent) with a greedy session of `context` tokens, run
 * in batches of `batch`. device: "cpu" or NULL. */
void rig_open(struct rig *rig, const char *device, uint32_t context, uint32_t batch);
/* The same with another KV cache than f32. */
void rig_open_kv(struct rig *rig, const char *device, uint32_t context, uint32_t batch,
                 enum lichen_kv kv);
void rig_close(struct rig *rig);
/* The published greedy continuation of token 1. */
const int32_t *rig_golden(void);
/* Feeds token 1 and takes count greedy tokens; false when a call failed. */
bool rig_greedy(struct rig *rig, int32_t *ids, uint32_t count, struct fault *fault);

#endif
