/* run.h: shared by C and GLSL: the per-run parameter buffer. Recorded command buffers read the
 * changing numbers from it, so that nothing is recorded again for a token. */
#ifndef LICHEN_RUN_H
#define LICHEN_RUN_H

#ifdef GL_core_profile
#define RUN_UINT uint
#else
#include <stdint.h>
#define RUN_UINT uint32_t
#endif

struct run_params {
    RUN_UINT count;    /* tokens of this run */
    RUN_UINT position; /* of the first token */
    RUN_UINT outputs;  /* rows behind SELECT */
    RUN_UINT prefix;   /* MASK_PREFIX */
    RUN_UINT kv_count; /* position + count: positions that attention may see */
    RUN_UINT top;      /* largest logits wanted of each output row */
    RUN_UINT reserved0, reserved1;
};

#endif
