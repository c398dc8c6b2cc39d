#include "tape.h"

#include <stdlib.h>
#include <string.h>

enum {
    /// What a tape may keep from batch to batch; more than that goes back after use.
    KEPT_BYTES = 1 << 20,
    FIRST_BYTES = 1 << 15,
    FIRST_NODES = 1 << 10,
};

static size_t grown(size_t capacity, size_t needed, size_t first) {
    size_t larger = capacity + capacity / 2;
    if (larger < first) larger = first;
    return larger < needed ? needed : larger;
}

static bool reserve_node(lapse_tape *tape) {
    if (tape->node_count < tape->node_capacity) return true;
    size_t capacity = grown(tape->node_capacity, tape->node_count + 1, FIRST_NODES);
    lapse_node *nodes = realloc(tape->nodes, capacity * sizeof(lapse_node));
    if (!nodes) return false;
    tape->nodes = nodes;
    tape->node_capacity = capacity;
    return true;
}

static bool reserve_bytes(lapse_tape *tape, size_t count) {
    if (count <= tape->byte_capacity - tape->byte_count) return true;
    size_t capacity = grown(tape->byte_capacity, tape->byte_count + count, FIRST_BYTES);
    uint8_t *bytes = realloc(tape->bytes, capacity);
    if (!bytes) return false;
    tape->bytes = bytes;
    tape->byte_capacity = capacity;
    return true;
}

void lapse_tape_free(lapse_tape *tape) {
    free(tape->nodes);
    free(tape->bytes);
}

bool lapse_tape_append(lapse_tape *tape, lapse_node_kind kind, int64_t value) {
    if (!reserve_node(tape)) return false;
    tape->nodes[tape->node_count++] = (lapse_node){.value = value, .offset = tape->byte_count, .kind = kind};
    return true;
}

bool lapse_tape_append_bytes(lapse_tape *tape, lapse_node_kind kind, const char *bytes, size_t count) {
    // The first reservation makes `bytes` a valid pointer even for an empty string.
    if (!reserve_bytes(tape, count + 1) || !lapse_tape_append(tape, kind, (int64_t)count)) return false;
    memcpy(tape->bytes + tape->byte_count, bytes, count);
    tape->byte_count += count;
    return true;
}

void lapse_tape_close_reply(lapse_tape *tape) {
    tape->open_node = tape->node_count;
    tape->open_byte = tape->byte_count;
    tape->reply_count++;
}

/// A failed realloc leaves the larger block, which is no harm.
static void shrink(lapse_tape *tape) {
    if (tape->byte_capacity > KEPT_BYTES && tape->byte_count <= KEPT_BYTES / 2) {
        uint8_t *bytes = realloc(tape->bytes, KEPT_BYTES);
        if (bytes) {
            tape->bytes = bytes;
            tape->byte_capacity = KEPT_BYTES;
        }
    }
    size_t kept_nodes = KEPT_BYTES / sizeof(lapse_node);
    if (tape->node_capacity > kept_nodes && tape->node_count <= kept_nodes / 2) {
        lapse_node *nodes = realloc(tape->nodes, kept_nodes * sizeof(lapse_node));
        if (nodes) {
            tape->nodes = nodes;
            tape->node_capacity = kept_nodes;
        }
    }
}

void lapse_tape_forget(lapse_tape *tape) {
    if (tape->open_node > 0) {
        tape->node_count -= tape->open_node;
        tape->byte_count -= tape->open_byte;
        if (tape->node_count > 0) {
            memmove(tape->nodes, tape->nodes + tape->open_node, tape->node_count * sizeof(lapse_node));
            for (size_t i = 0; i < tape->node_count; i++) tape->nodes[i].offset -= tape->open_byte;
        }
        if (tape->byte_count > 0) memmove(tape->bytes, tape->bytes + tape->open_byte, tape->byte_count);
        tape->open_node = tape->open_byte = tape->reply_count = 0;
    }
    shrink(tape);
}
