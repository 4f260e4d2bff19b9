/* test_recovery.c: the device is lost at every submission of a short conversation in turn: the
 * answer must be the same as without the loss, and the engine must say that it recovered. Lost
 * again and again it must give up with one clear line. Runs through the fault layer of tests/gpu. */
#include "engine_rig.h"

#include <stdlib.h>

enum { TOKENS = 6 };

static bool hit(void)
{
    const char *text = getenv("VKFAULT_HIT");
    return text && text[0] == '1';
}

static void set_fault(const char *function, int at, const char *suffix)
{
    char order[64];
    unsetenv("VKFAULT_HIT");
    snprintf(order, sizeof order, "%s:%d:-4%s", function, at, suffix);
    setenv("VKFAULT", order, 1);
}

static void test_every_submission(void **state)
{
    (void)state;
    uint32_t recovered = 0;
    for (int at = 1; at <= 20; at++) {
        struct rig rig;
        struct fault fault = {0};
        struct lichen_stats stats;
        int32_t ids[TOKENS];
        unsetenv("VKFAULT");
        rig_open(&rig, NULL, 64, 0);
        set_fault("vkQueueSubmit", at, ":once");
        if (!rig_greedy(&rig, ids, TOKENS, &fault))
            fail_msg("submission %d: %s", at, fault.text);
        assert_memory_equal(ids, rig_golden(), sizeof ids);
        lichen_stats(rig.session, &stats);
        assert_int_equal(stats.recoveries, hit() ? 1 : 0);
        recovered += stats.recoveries;
        rig_close(&rig);
    }
    unsetenv("VKFAULT");
    print_message("%u losses recovered\n", recovered);
    assert_true(recovered >= TOKENS);
}

/* Lost again during the replay: the run fails with one line, and closing works. */
static void test_lost_for_good(void **state)
{
    (void)state;
    struct rig rig;
    struct fault fault = {0};
    int32_t ids[TOKENS];
    unsetenv("VKFAULT");
    rig_open(&rig, NULL, 64, 0);
    bool good = true;
    for (int at = 1; good && at <= 20; at++) {
        set_fault("vkQueueSubmit", at, "");
        lichen_rewind(rig.session, 0);
        good = rig_greedy(&rig, ids, TOKENS, &fault);
    }
    unsetenv("VKFAULT");
    assert_false(good);
    assert_int_equal(fault.kind, FAULT_DEVICE_LOST);
    assert_null(strchr(fault.text, '\n'));
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_submission),
        cmocka_unit_test(test_lost_for_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
