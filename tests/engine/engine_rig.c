/* engine_rig.c: see engine_rig.h. */
#include "engine_rig.h"

#include <jansson.h>

void rig_open(struct rig *rig, const char *device, uint32_t context, uint32_t batch)
{
    rig_open_kv(rig, device, context, batch, LICHEN_KV_F32);
}

void rig_open_kv(struct rig *rig, const char *device, uint32_t context, uint32_t batch,
                 enum lichen_kv kv)
{
    struct fault fault = {0};
    struct lichen_engine_options options;
    struct lichen_session_options shape;
    memset(rig, 0, sizeof *rig);
    if (!test_file_exists(STORIES))
        SKIP("%s is absent", STORIES);
    lichen_engine_defaults(&options);
    options.model = STORIES;
    options.device = device;
    options.activations = LICHEN_ACTIVATIONS_FLOAT;
    if (!lichen_engine_open(&options, &rig->engine, &fault))
        fail_msg("%s", fault.text);
    lichen_session_defaults(&shape);
    shape.context = context;
    shape.batch = batch;
    shape.kv = kv;
    shape.sampler.temperature = 0;
    if (!lichen_session_open(rig->engine, &shape, &rig->session, &fault))
        fail_msg("%s", fault.text);
}

void rig_close(struct rig *rig)
{
    lichen_session_close(rig->session);
    lichen_engine_close(rig->engine);
}

const int32_t *rig_golden(void)
{
    static int32_t ids[STORIES_IDS];
    json_t *root = json_load_file(LICHEN_SHARED "/golden/models/stories260K/golden_greedy.json", 0,
                                  NULL);
    if (!root)
        SKIP("the golden ids are absent");
    json_t *list = json_object_get(root, "greedy_ids");
    assert_int_equal(json_array_size(list), STORIES_IDS);
    for (size_t i = 0; i < STORIES_IDS; i++)
        ids[i] = (int32_t)json_integer_value(json_array_get(list, i));
    json_decref(root);
    return ids;
}

bool rig_greedy(struct rig *rig, int32_t *ids, uint32_t count, struct fault *fault)
{
    const int32_t start = 1;
    if (!lichen_feed(rig->session, &start, 1, fault))
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (!lichen_next(rig->session, &ids[i], fault))
            return false;
    return true;
}
