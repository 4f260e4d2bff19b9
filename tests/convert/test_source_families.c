/* test_source_families.c: published checkpoints against the logits of their original
 * implementations: source_hf.c -> GGUF in F32 -> exec_ref. */
#include "source_rig.h"
#include "testing.h"

#define SHARED LICHEN_SHARED "/golden"

static void check(const char *folder, bool lossless, double bound)
{
    char config[4096];
    snprintf(config, sizeof config, "%s/config.json", folder);
    if (!test_file_exists(config))
        SKIP("%s is not there", folder);
    double error = rig_error(folder, lossless);
    print_message("%s%s: %.2g\n", folder, lossless ? " lossless" : "", error);
    assert_true(error <= bound);
}

#define CASE(name, folder, lossless, bound)                                                        \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        check(folder, lossless, bound);                                                            \
    }

CASE(moss, SHARED "/tiny/tiny-moss", false, 1e-4)
CASE(moss_int4, SHARED "/tiny/tiny-moss-gptq-int4", false, 1e-4)
CASE(moss_int8, SHARED "/tiny/tiny-moss-gptq-int8", false, 1e-4)
CASE(moss_int4_lossless, SHARED "/tiny/tiny-moss-gptq-int4", true, 1e-4)
CASE(moss_int8_lossless, SHARED "/tiny/tiny-moss-gptq-int8", true, 1e-4)
CASE(chatglm3, SHARED "/tiny/tiny-chatglm3", false, 1e-4)
CASE(glm4, SHARED "/tiny/tiny-glm4", false, 1e-4)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moss),
        cmocka_unit_test(test_moss_int4),
        cmocka_unit_test(test_moss_int8),
        cmocka_unit_test(test_moss_int4_lossless),
        cmocka_unit_test(test_moss_int8_lossless),
        cmocka_unit_test(test_chatglm3),
        cmocka_unit_test(test_glm4),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
