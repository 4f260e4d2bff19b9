/* gpu_record.c: calls into command buffers. Barriers follow from what the calls read and write:
 * one stands before a call that touches what was written since the last barrier, or writes what was
 * read. A recording is cut into submissions of bounded cost. */
#include "gpu_exec.h"
#include "platform.h"
#include <stdlib.h>
#include <string.h>

/* ---- hazards ---- */

struct hazards { /* for each area the interval, counted from 1, that last read and wrote it */
    uint32_t *read, *write; /* [area_count] */
    uint32_t interval;
};

static bool hazards_init(struct hazards *hazards, const struct exec_gpu *gpu, struct fault *fault)
{
    hazards->read = calloc(gpu->space.area_count + 1, sizeof *hazards->read);
    hazards->write = calloc(gpu->space.area_count + 1, sizeof *hazards->write);
    hazards->interval = 1;
    return (hazards->read && hazards->write) ||
           fault_set(fault, FAULT_MEMORY, "no memory to record commands");
}

static void hazards_free(struct hazards *hazards)
{
    free(hazards->read);
    free(hazards->write);
}

static bool hazards_meet(const struct hazards *hazards, const struct gpu_call *call)
{
    for (uint32_t i = 0; i < call->access_count; i++) {
        uint32_t id = call->access[i].id;
        if (hazards->write[id] == hazards->interval)
            return true;
        if (call->access[i].write && hazards->read[id] == hazards->interval)
            return true;
    }
    return false;
}

static void hazards_note(struct hazards *hazards, const struct gpu_call *call)
{
    for (uint32_t i = 0; i < call->access_count; i++) {
        uint32_t *last = call->access[i].write ? hazards->write : hazards->read;
        last[call->access[i].id] = hazards->interval;
    }
}

/* ---- one call ---- */

static void call_record(const struct exec_gpu *gpu, const struct gpu_call *call,
                        uint32_t context_bucket, struct gpu_commands *commands)
{
    uint32_t push[GPU_PUSH_WORDS], groups_z = call->groups[2];
    if (call->matmul) {
        gpu_matmul_record(call->matmul, commands);
        return;
    }
    memcpy(push, call->push, sizeof push);
    if (call->chunked) {
        uint32_t chunk = gpu_shape_chunk(&gpu->shape, context_bucket, gpu->options.exact);
        push[call->chunk_word] = chunk;
        push[call->chunk_word + 1] = (context_bucket + chunk - 1) / chunk;
        if (call->chunk_groups)
            groups_z = push[call->chunk_word + 1];
    }
    gpu_record_dispatch(commands, call->kernel, call->binding, push, call->groups[0],
                        call->groups[1], groups_z);
}

uint64_t gpu_call_cost(const struct exec_gpu *gpu, const struct gpu_call *call,
                       uint32_t context_bucket)
{
    uint32_t keys = context_bucket < gpu->exec.context ? context_bucket : gpu->exec.context;
    return call->cost + call->key_cost * keys;
}

/* Earlier submissions' writes become visible; the host's parameters are brought to the device. */
static void record_head(const struct exec_gpu *gpu, bool parameters, struct gpu_commands *commands)
{
    const struct gpu_space *space = &gpu->space;
    if (parameters && space->run_host.buffer != space->run.range.buffer) {
        struct gpu_range target = space->run.range;
        target.size = space->run_host.size;
        gpu_record_barrier(commands);
        gpu_record_copy(commands, space->run_host, target);
    }
    gpu_record_barrier(commands);
}

/* ---- recordings ---- */

struct recorder {
    struct exec_gpu *gpu;
    struct gpu_recording *recording;
    struct gpu_commands *commands; /* open, or NULL */
    uint64_t cost;                 /* of the open commands */
    struct hazards hazards;
    struct fault *fault;
};

static bool segment_begin(struct recorder *recorder)
{
    struct gpu_recording *recording = recorder->recording;
    struct gpu_segment *segments =
        realloc(recording->segments, (recording->segment_count + 1) * sizeof *segments);
    if (!segments)
        return fault_set(recorder->fault, FAULT_MEMORY, "no memory to record commands");
    recording->segments = segments;
    struct gpu_segment *segment = &segments[recording->segment_count];
    *segment = (struct gpu_segment){0};
    if (!gpu_commands_create(exec_device(recorder->gpu), &segment->commands, recorder->fault))
        return false;
    recording->segment_count++;
    if (!gpu_record_begin(segment->commands, recorder->fault))
        return false;
    recorder->commands = segment->commands;
    recorder->cost = 0;
    recorder->hazards.interval++;
    record_head(recorder->gpu, recording->segment_count == 1, recorder->commands);
    return true;
}

static bool segment_end(struct recorder *recorder)
{
    struct gpu_recording *recording = recorder->recording;
    struct gpu_segment *segment = &recording->segments[recording->segment_count - 1];
    gpu_record_host_barrier(recorder->commands);
    recorder->commands = NULL;
    segment->cost = recorder->cost;
    recording->dispatches += gpu_recorded_dispatches(segment->commands);
    return gpu_record_end(segment->commands, recorder->fault);
}

static bool recorder_call(struct recorder *recorder, const struct gpu_call *call)
{
    struct gpu_recording *recording = recorder->recording;
    uint64_t cost = gpu_call_cost(recorder->gpu, call, recording->context_bucket);
    if (recorder->commands && recorder->cost && recorder->cost + cost > recording->budget &&
        !segment_end(recorder))
        return false;
    if (!recorder->commands && !segment_begin(recorder))
        return false;
    if (hazards_meet(&recorder->hazards, call)) {
        gpu_record_barrier(recorder->commands);
        recorder->hazards.interval++;
        recording->barriers++;
    }
    hazards_note(&recorder->hazards, call);
    call_record(recorder->gpu, call, recording->context_bucket, recorder->commands);
    recorder->cost += cost;
    recording->weight_bytes += call->weight_bytes;
    return true;
}

static void segments_free(struct exec_gpu *gpu, struct gpu_recording *recording)
{
    for (uint32_t i = 0; i < recording->segment_count; i++)
        gpu_commands_destroy(exec_device(gpu), recording->segments[i].commands);
    free(recording->segments);
    recording->segments = NULL;
    recording->segment_count = recording->dispatches = recording->barriers = 0;
    recording->weight_bytes = 0;
    recording->stale = false;
}

/* Most cost of a submission. One token stays one submission unless it takes very long. */
static uint64_t cost_budget(const struct exec_gpu *gpu, const struct gpu_recording *recording)
{
    double time = gpu->shape.target_ns * (recording->program->tokens == 1 ? 4 : 1);
    return (uint64_t)(recording->rate * time) + 1;
}

static bool recording_record(struct exec_gpu *gpu, struct gpu_recording *recording,
                             struct fault *fault)
{
    struct recorder recorder = {.gpu = gpu, .recording = recording, .fault = fault};
    const struct gpu_program *program = recording->program;
    segments_free(gpu, recording);
    recording->budget = cost_budget(gpu, recording);
    bool recorded = hazards_init(&recorder.hazards, gpu, fault);
    for (uint32_t i = 0; recorded && i < program->call_count; i++)
        if (recording->outputs || !program->calls[i].outputs)
            recorded = recorder_call(&recorder, &program->calls[i]);
    if (recorded && recorder.commands)
        recorded = segment_end(&recorder);
    hazards_free(&recorder.hazards);
    if (!recorded)
        recording->stale = true;
    return recorded;
}

static bool program_get(struct exec_gpu *gpu, uint32_t tokens, uint32_t outputs, bool split,
                        const struct gpu_program **out, struct fault *fault)
{
    struct gpu_program *program = gpu->programs;
    while (program &&
           (program->tokens != tokens || program->outputs != outputs || program->split != split))
        program = program->next;
    if (!program) {
        if (!gpu_program_create(gpu, tokens, outputs, split, &program, fault))
            return false;
        program->next = gpu->programs;
        gpu->programs = program;
    }
    *out = program;
    return true;
}

/* Rows for which the calls behind SELECT are prepared: none and one are the usual cases. */
static uint32_t outputs_bucket(const struct exec_gpu *gpu, uint32_t tokens, uint32_t outputs)
{
    if (outputs <= 1)
        return 1;
    return tokens < gpu->shape.outputs_max ? tokens : gpu->shape.outputs_max;
}

bool gpu_recording_get(struct exec_gpu *gpu, uint32_t tokens, uint32_t outputs, uint32_t kv_count,
                       struct gpu_recording **out, struct fault *fault)
{
    uint32_t bucket = gpu_shape_bucket(&gpu->shape, tokens);
    uint32_t context = gpu_shape_context(&gpu->shape, kv_count);
    bool split = gpu_shape_split(&gpu->shape, bucket, context, gpu->options.exact);
    const struct gpu_program *program;
    if (!program_get(gpu, bucket, outputs_bucket(gpu, bucket, outputs), split, &program, fault))
        return false;
    struct gpu_recording *recording = gpu->recordings;
    while (recording && (recording->program != program || recording->context_bucket != context ||
                         recording->outputs != (outputs > 0)))
        recording = recording->next;
    if (!recording) {
        recording = calloc(1, sizeof *recording);
        if (!recording)
            return fault_set(fault, FAULT_MEMORY, "no memory to record commands");
        recording->program = program;
        recording->context_bucket = context;
        recording->outputs = outputs > 0;
        recording->rate = gpu->shape.rate_first;
        recording->stale = true;
        recording->next = gpu->recordings;
        gpu->recordings = recording;
    }
    *out = recording;
    return !recording->stale || recording_record(gpu, recording, fault);
}

void gpu_recordings_free(struct exec_gpu *gpu)
{
    while (gpu->recordings) {
        struct gpu_recording *recording = gpu->recordings;
        gpu->recordings = recording->next;
        segments_free(gpu, recording);
        free(recording);
    }
    while (gpu->programs) {
        struct gpu_program *program = gpu->programs;
        gpu->programs = program->next;
        gpu_program_destroy(gpu, program);
    }
}

bool gpu_record_calls(struct exec_gpu *gpu, const struct gpu_program *program, uint32_t first,
                      uint32_t count, uint32_t context_bucket, bool timed,
                      struct gpu_commands **out, struct fault *fault)
{
    if (!gpu_commands_create(exec_device(gpu), out, fault))
        return false;
    bool recorded = gpu_record_begin(*out, fault);
    if (recorded && timed)
        gpu_record_timing(*out, count - first + 2);
    if (recorded)
        record_head(gpu, true, *out);
    for (uint32_t slot = 0; recorded && timed && slot < 2; slot++) {
        gpu_record_timestamp(*out, slot);
        gpu_record_barrier(*out);
    }
    for (uint32_t i = first; recorded && i < count; i++) {
        call_record(gpu, &program->calls[i], context_bucket, *out);
        gpu_record_barrier(*out);
        if (timed)
            gpu_record_timestamp(*out, i - first + 2);
    }
    if (recorded) {
        gpu_record_host_barrier(*out);
        recorded = gpu_record_end(*out, fault);
    }
    if (!recorded)
        gpu_commands_destroy(exec_device(gpu), *out);
    return recorded;
}

/* ---- running ---- */

/* A recording whose submissions take far from the wanted time is cut again. */
static void recording_measure(struct exec_gpu *gpu, struct gpu_recording *recording, double cost,
                              double time_ns)
{
    if (time_ns <= 0 || cost <= 0)
        return;
    recording->rate = cost / time_ns;
    double wanted = (double)cost_budget(gpu, recording), had = (double)recording->budget;
    if (wanted < 0.6 * had && recording->segment_count * had > wanted)
        recording->stale = cost > wanted;
    if (wanted > 2 * had && recording->segment_count > 1)
        recording->stale = true;
}

bool gpu_recording_run(struct exec_gpu *gpu, struct gpu_recording *recording, uint32_t tokens,
                       const volatile bool *cancel, struct fault *fault)
{
    struct gpu_device *device = exec_device(gpu);
    double share = (double)tokens / recording->program->tokens, cost = 0;
    uint64_t start = clock_ns();
    for (uint32_t i = 0; i < recording->segment_count; i++) {
        if (cancel && *cancel)
            return fault_set(fault, FAULT_CANCELLED, "cancelled");
        if (!gpu_submit(device, recording->segments[i].commands, fault) || !gpu_wait(device, fault))
            return false;
        cost += share * (double)recording->segments[i].cost;
        gpu->stats.submissions++;
    }
    gpu->stats.dispatches += recording->dispatches;
    gpu->stats.barriers += recording->barriers;
    gpu->stats.weight_bytes = recording->weight_bytes;
    gpu->stats.ran = recording->program->quants ? gpu->shape.format : ACTIVATIONS_FLOAT;
    recording_measure(gpu, recording, cost, (double)(clock_ns() - start));
    return true;
}
