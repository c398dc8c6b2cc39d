#ifndef LAPSE_TAPE_H
#define LAPSE_TAPE_H

#include "CHiredisReader.h"

#include <stdbool.h>

/// Complete replies, then the nodes and bytes of the one that is still arriving.
typedef struct {
    lapse_node *nodes;
    size_t node_count, node_capacity;
    uint8_t *bytes;
    size_t byte_count, byte_capacity;

    size_t reply_count;
    /// Where the reply that is still arriving begins.
    size_t open_node, open_byte;
} lapse_tape;

void lapse_tape_free(lapse_tape *tape);

/// False when there is no memory.
bool lapse_tape_append(lapse_tape *tape, lapse_node_kind kind, int64_t value);
bool lapse_tape_append_bytes(lapse_tape *tape, lapse_node_kind kind, const char *bytes, size_t count);

/// The reply that was arriving is complete.
void lapse_tape_close_reply(lapse_tape *tape);

/// Drops the complete replies and keeps the one that is still arriving.
void lapse_tape_forget(lapse_tape *tape);

#endif
