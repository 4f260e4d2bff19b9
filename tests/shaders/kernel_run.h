/* kernel_run.h: one dispatch of one kernel over buffers of words, for tests. */
#ifndef LICHEN_TEST_KERNEL_RUN_H
#define LICHEN_TEST_KERNEL_RUN_H

#include "gpu_fixture.h"

struct kernel_buffer { /* one binding; words NULL = unused */
    void *words;       /* [count], uploaded before, read back after */
    uint32_t count;    /* 32-bit words */
};

struct kernel_run {
    enum shader_id shader;
    uint32_t spec[GPU_SPEC_MAX], spec_count;
    uint32_t push[GPU_PUSH_MAX / 4], push_count;
    struct kernel_buffer buffers[GPU_BINDING_MAX];
    uint32_t groups[3]; /* 0 = 1 */
};

/* Runs it and asserts that everything succeeds. */
void kernel_run(struct gpu_device *device, const struct kernel_run *run);

#endif
