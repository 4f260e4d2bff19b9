/* platform_thread.h: threads for parallel.c. Internal to quant/: work is spread by parallel_for
 * alone. */
#ifndef LICHEN_PLATFORM_THREAD_H
#define LICHEN_PLATFORM_THREAD_H

#include "fault.h"

struct thread;
struct monitor; /* a mutex and one condition */

bool thread_start(void (*run)(void *context), void *context, struct thread **out,
                  struct fault *fault);
void thread_join(struct thread *thread); /* waits, then frees; NULL is allowed */

bool monitor_create(struct monitor **out, struct fault *fault);
void monitor_destroy(struct monitor *monitor); /* NULL is allowed */
void monitor_lock(struct monitor *monitor);
void monitor_unlock(struct monitor *monitor);
void monitor_wait(struct monitor *monitor); /* locked; may return without a wake */
void monitor_wake_all(struct monitor *monitor);

#endif
