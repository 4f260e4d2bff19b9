/* checkpoint_private.h: struct checkpoint, for checkpoint.c and checkpoint_read.c alone. */
#ifndef LICHEN_CHECKPOINT_PRIVATE_H
#define LICHEN_CHECKPOINT_PRIVATE_H

#include "checkpoint_internal.h"

struct checkpoint {
    struct checkpoint_part *parts; /* [part_count], owned */
    uint32_t part_count;
    struct arena arena;
    struct checkpoint_item **items; /* [item_count], arena, in the order of names */
    uint32_t item_count;
};

#endif
