/* common.glsl: what the kernels of a plan share: the workgroup size in constant 0 and the run
 * buffer in binding RUN_BINDING (0 unless the includer says otherwise). Rows are the run's tokens,
 * or its outputs when `outputs` is not 0. */
#extension GL_EXT_control_flow_attributes : require
#include "run.h"

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WG = 64;

#ifndef RUN_BINDING
#define RUN_BINDING 0
#endif
layout(binding = RUN_BINDING, std430) readonly buffer Run
{
    run_params run;
};

uint run_rows(uint outputs)
{
    return outputs != 0 ? run.outputs : run.count;
}
