/* platform_posix_thread.c: platform_thread.h on POSIX threads. */
#include "platform_thread.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

struct thread {
    pthread_t handle;
    void (*run)(void *context);
    void *context;
};

struct monitor {
    pthread_mutex_t mutex;
    pthread_cond_t condition;
};

static void *thread_main(void *argument)
{
    struct thread *thread = argument;
    thread->run(thread->context);
    return NULL;
}

bool thread_start(void (*run)(void *context), void *context, struct thread **out,
                  struct fault *fault)
{
    struct thread *thread = malloc(sizeof *thread);
    *out = NULL;
    if (!thread)
        return fault_set(fault, FAULT_MEMORY, "no memory for a thread");
    *thread = (struct thread){.run = run, .context = context};
    if (pthread_create(&thread->handle, NULL, thread_main, thread) != 0) {
        free(thread);
        return fault_set(fault, FAULT_MEMORY, "the system gives no more threads");
    }
    *out = thread;
    return true;
}

void thread_join(struct thread *thread)
{
    if (!thread)
        return;
    pthread_join(thread->handle, NULL);
    free(thread);
}

bool monitor_create(struct monitor **out, struct fault *fault)
{
    *out = NULL;
    struct monitor *monitor = malloc(sizeof *monitor);
    if (!monitor)
        return fault_set(fault, FAULT_MEMORY, "no memory for a mutex");
    if (pthread_mutex_init(&monitor->mutex, NULL) != 0) {
        free(monitor);
        return fault_set(fault, FAULT_MEMORY, "the system gives no more mutexes");
    }
    if (pthread_cond_init(&monitor->condition, NULL) != 0) {
        pthread_mutex_destroy(&monitor->mutex);
        free(monitor);
        return fault_set(fault, FAULT_MEMORY, "the system gives no more mutexes");
    }
    *out = monitor;
    return true;
}

void monitor_destroy(struct monitor *monitor)
{
    if (!monitor)
        return;
    pthread_cond_destroy(&monitor->condition);
    pthread_mutex_destroy(&monitor->mutex);
    free(monitor);
}

/* On a default mutex that is initialized these calls fail only when the caller breaks the rules. */
static void must_succeed(int result)
{
    assert(result == 0);
    (void)result;
}

void monitor_lock(struct monitor *monitor)
{
    must_succeed(pthread_mutex_lock(&monitor->mutex));
}

void monitor_unlock(struct monitor *monitor)
{
    must_succeed(pthread_mutex_unlock(&monitor->mutex));
}

void monitor_wait(struct monitor *monitor)
{
    must_succeed(pthread_cond_wait(&monitor->condition, &monitor->mutex));
}

void monitor_wake_all(struct monitor *monitor)
{
    must_succeed(pthread_cond_broadcast(&monitor->condition));
}
