/* interrupt.c: the one place with mutable globals: a signal handler has no argument to find the
 * session by. */
#include "interrupt.h"
#include "lichen.h"
#include "terminal.h"
#include <signal.h>
#include <stdatomic.h>

static volatile sig_atomic_t seen, final;
static _Atomic(struct lichen_session *) watched;

static void handle(int signal)
{
    seen = seen + 1;
    if (signal == SIGTERM)
        final = 1;
    if (seen > 2)
        signal_die(signal);
    struct lichen_session *session = atomic_load(&watched);
    if (session)
        lichen_cancel(session);
}

void interrupt_catch(void)
{
    signals_catch(handle);
}

void interrupt_watch(struct lichen_session *session)
{
    atomic_store(&watched, session);
    if (session && seen)
        lichen_cancel(session);
}

bool interrupt_seen(void)
{
    return seen != 0;
}

bool interrupt_final(void)
{
    return final != 0;
}

void interrupt_clear(void)
{
    if (final)
        return;
    struct lichen_session *session = atomic_load(&watched);
    if (session)
        lichen_cancel_clear(session);
    seen = 0;
}
