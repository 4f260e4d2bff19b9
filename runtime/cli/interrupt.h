/* interrupt.h: Ctrl-C and SIGTERM. The first asks the running session to stop; a third without an
 * answer ends the program at once. */
#ifndef LICHEN_INTERRUPT_H
#define LICHEN_INTERRUPT_H

#include <stdbool.h>

struct lichen_session;

void interrupt_catch(void);
void interrupt_watch(struct lichen_session *session); /* the one to cancel; NULL = none */
bool interrupt_seen(void);
bool interrupt_final(void); /* SIGTERM: the program is to end, not only what it does */
void interrupt_clear(void); /* also clears the session's cancellation */

#endif
