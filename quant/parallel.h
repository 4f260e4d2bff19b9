/* parallel.h: a fixed team of threads. The thread count never changes a result: work items are
 * independent and each is done by one thread. */
#ifndef LICHEN_PARALLEL_H
#define LICHEN_PARALLEL_H

#include "fault.h"
#include <stdint.h>

struct parallel;

/* thread_count >= 1, the caller's thread included. */
bool parallel_create(uint32_t thread_count, struct parallel **out, struct fault *fault);
void parallel_destroy(struct parallel *parallel); /* NULL is allowed */
uint32_t parallel_thread_count(const struct parallel *parallel);

/* Calls work(context, item, thread) for every item < count and returns when all are done. thread <
 * thread_count indexes per-thread scratch. Items are taken in increasing order. Not reentrant; one
 * caller at a time. */
void parallel_for(struct parallel *parallel, uint32_t count,
                  void (*work)(void *context, uint32_t item, uint32_t thread), void *context);

#endif
