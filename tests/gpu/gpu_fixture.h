/* gpu_fixture.h: what the GPU tests share: opening a device, asserting without a fault, and the
 * kernel y = factor * x + offset of scale.comp with everything it needs. */
#ifndef LICHEN_GPU_FIXTURE_H
#define LICHEN_GPU_FIXTURE_H

#include "testing.h"
#include "gpu.h"
#include "shader_table.h"

extern const struct shader shader_TEST_SCALE;
extern const struct shader shader_TEST_SCALE_UNCHECKED;
extern const struct shader shader_TEST_DOT;
extern const struct shader shader_TEST_SUBGROUP;

/* Fails the test with the fault's text. */
#define assert_ok(CALL, FAULT)                                                                     \
    do {                                                                                           \
        if (!(CALL))                                                                               \
            fail_msg("%s: %s", #CALL, (FAULT).text);                                               \
    } while (0)

struct scale_push {
    uint32_t count, offset;
};

struct scale { /* zeroed before scale_create */
    struct gpu_buffer *x, *y;
    struct gpu_kernel *kernel;
    struct gpu_binding *binding;
    struct gpu_commands *commands;
    struct scale_push push;
};

/* Opens and, with validation, collects its messages until the next open. */
struct gpu_device *fixture_open(const struct gpu_options *options);
/* The same where failing is allowed: NULL with a fault. */
struct gpu_device *fixture_try_open(const struct gpu_options *options, struct fault *fault);
/* Closes and asserts that validation (when on) had nothing to say. */
void fixture_close(struct gpu_device *device);
/* The same where messages are expected: not printed. */
struct gpu_device *fixture_open_noisy(const struct gpu_options *options);
uint32_t fixture_messages(void); /* since the last open, those of gpu_close included */

struct gpu_kernel_request scale_request(const struct shader *shader, uint32_t factor);
/* Buffers of count words in device memory with x[i] = i, a recorded dispatch with host barrier and
 * timestamps 0 and 1. False with a fault; scale_destroy cleans up in any case. */
bool scale_create(struct gpu_device *device, uint32_t count, uint32_t factor, uint32_t offset,
                  struct scale *scale, struct fault *fault);
void scale_destroy(struct gpu_device *device, struct scale *scale);
bool scale_run(struct gpu_device *device, struct scale *scale, struct fault *fault);
/* Downloads y and asserts y[i] = factor * i + offset. */
void scale_check(struct gpu_device *device, const struct scale *scale, uint32_t factor);

#endif
