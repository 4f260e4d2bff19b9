/* template.h: runs tokenizer.chat_template, the bounded subset of Jinja2 that chat templates use.
 * Output is byte for byte that of Python's jinja2 with trim_blocks, lstrip_blocks and loop controls
 * on, as Hugging Face's transformers sets it up: globals raise_exception(message) and
 * strftime_now(format), `tojson` without ASCII escapes, keys in insertion order, {% generation %}.
 *
 * A construct outside the subset is refused with its name, line and column when the template is
 * compiled (or, where only the data tells, when it runs): never replaced by another template.
 * Budgets: 1,000,000 steps, 4 MiB of output, depth 64, 64 MiB of memory; source <= 1 MiB, variables
 * <= 8 MiB. Integers are 64 bits: where Python would go beyond, the template fails. */
#ifndef LICHEN_TEMPLATE_H
#define LICHEN_TEMPLATE_H

#include "fault.h"
#include <stddef.h>
#include <stdint.h>

struct template;

/* source is copied. Immutable afterwards, safe to share between threads. */
bool template_create(const char *source, size_t size, struct template **out, struct fault *fault);
void template_destroy(struct template *compiled); /* NULL is allowed */

/* variables: one JSON object as text; every key is a template variable (messages, tools,
 * add_generation_prompt, bos_token, ...). time_unix: what strftime_now sees (local time).
 * *text: malloc'd, NUL behind it. raise_exception in the template is a FAULT_ARGUMENT with its
 * message. */
bool template_render(const struct template *compiled, const char *variables, size_t size,
                     int64_t time_unix, char **text, size_t *text_size, struct fault *fault);

#endif
