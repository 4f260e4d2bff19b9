/* layers.h: the steps of a decoder from a family's switches. */
#ifndef LICHEN_LAYERS_H
#define LICHEN_LAYERS_H

#include "builder.h"

/* Embedding, all layers, final norm, head: the whole plan but rope tables and KV layers. False when
 * the builder failed. */
bool layers_build(struct builder *builder);

#endif
