/* parallel.c: threads wait in a monitor for the next job; within a job each takes the next item
 * from one counter. */
#include "parallel.h"
#include "platform_thread.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

struct job {
    void (*work)(void *context, uint32_t item, uint32_t thread);
    void *context;
    uint32_t count;
};

struct member {
    struct parallel *team;
    struct thread *thread; /* NULL for member 0, the caller */
    uint32_t index;
};

struct parallel {
    struct monitor *monitor; /* guards what follows, but for next */
    uint64_t job_number;     /* grows by one with each job */
    uint32_t busy;           /* members still in the current job */
    bool stopping;
    struct job job;
    _Atomic uint64_t next; /* item; 64 bits, so members that find the end cannot make it wrap */
    uint32_t count;        /* members */
    struct member members[];
};

static void take_items(struct parallel *team, uint32_t thread)
{
    struct job job = team->job;
    for (;;) {
        uint64_t item = atomic_fetch_add_explicit(&team->next, 1, memory_order_relaxed);
        if (item >= job.count)
            return;
        job.work(job.context, (uint32_t)item, thread);
    }
}

static void member_main(void *context)
{
    struct member *member = context;
    struct parallel *team = member->team;
    uint64_t seen = 0;
    monitor_lock(team->monitor);
    for (;;) {
        while (team->job_number == seen && !team->stopping)
            monitor_wait(team->monitor);
        if (team->stopping)
            break;
        seen = team->job_number;
        monitor_unlock(team->monitor);
        take_items(team, member->index);
        monitor_lock(team->monitor);
        if (--team->busy == 0)
            monitor_wake_all(team->monitor);
    }
    monitor_unlock(team->monitor);
}

bool parallel_create(uint32_t thread_count, struct parallel **out, struct fault *fault)
{
    assert(thread_count >= 1);
    *out = NULL;
    struct parallel *team = calloc(1, sizeof *team + thread_count * sizeof team->members[0]);
    if (!team)
        return fault_set(fault, FAULT_MEMORY, "no memory for a team of %u threads", thread_count);
    team->count = thread_count;
    bool done = monitor_create(&team->monitor, fault);
    for (uint32_t i = 0; i < thread_count; i++)
        team->members[i] = (struct member){.team = team, .index = i};
    for (uint32_t i = 1; done && i < thread_count; i++)
        done = thread_start(member_main, &team->members[i], &team->members[i].thread, fault);
    if (!done) {
        parallel_destroy(team);
        return false;
    }
    *out = team;
    return true;
}

void parallel_destroy(struct parallel *parallel)
{
    if (!parallel)
        return;
    if (parallel->monitor) {
        monitor_lock(parallel->monitor);
        parallel->stopping = true;
        monitor_wake_all(parallel->monitor);
        monitor_unlock(parallel->monitor);
    }
    for (uint32_t i = 1; i < parallel->count; i++)
        thread_join(parallel->members[i].thread);
    monitor_destroy(parallel->monitor);
    free(parallel);
}

uint32_t parallel_thread_count(const struct parallel *parallel)
{
    return parallel->count;
}

void parallel_for(struct parallel *parallel, uint32_t count,
                  void (*work)(void *context, uint32_t item, uint32_t thread), void *context)
{
    /* not worth waking anyone */
    if (parallel->count == 1 || count <= 1) {
        for (uint32_t i = 0; i < count; i++)
            work(context, i, 0);
        return;
    }
    monitor_lock(parallel->monitor);
    assert(parallel->busy == 0);
    parallel->job = (struct job){work, context, count};
    atomic_store_explicit(&parallel->next, 0, memory_order_relaxed);
    parallel->busy = parallel->count - 1;
    parallel->job_number++;
    monitor_wake_all(parallel->monitor);
    monitor_unlock(parallel->monitor);
    take_items(parallel, 0);
    monitor_lock(parallel->monitor);
    while (parallel->busy > 0)
        monitor_wait(parallel->monitor);
    monitor_unlock(parallel->monitor);
}
