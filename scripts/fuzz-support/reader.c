// Feeds one stream in pieces, as a socket does, and reads everything that the batches point to.
#include <stdlib.h>
#include <string.h>

#include "CHiredisReader.h"

/// The first byte of an input says how large the pieces are.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) { return 0; }
    size_t piece = data[0] + 1;
    data++;
    size--;
    lapse_reader_limits limits = {.bulk_bytes = 1024, .reply_nodes = 64, .reply_bytes = 2048};
    lapse_reader *reader = lapse_reader_create(limits);
    if (!reader) { return 0; }
    uint8_t sum = 0;
    while (size > 0) {
        size_t count = piece < size ? piece : size;
        // A copy of exactly this size: reading one byte too far is seen.
        uint8_t *bytes = malloc(count);
        if (!bytes) { break; }
        memcpy(bytes, data, count);
        int result = lapse_reader_feed(reader, bytes, count);
        free(bytes);
        lapse_batch batch = lapse_reader_batch(reader);
        for (size_t i = 0; i < batch.node_count; i++) {
            lapse_node node = batch.nodes[i];
            switch (node.kind) {
            case lapse_node_simple:
            case lapse_node_error:
            case lapse_node_bulk:
            case lapse_node_channel:
            case lapse_node_message:
                if (node.value < 0) { abort(); }
                for (int64_t at = 0; at < node.value; at++) { sum ^= batch.bytes[node.offset + (size_t)at]; }
                break;
            default: break;
            }
        }
        lapse_reader_forget(reader);
        data += count;
        size -= count;
        if (result != 0) { break; }
    }
    lapse_reader_free(reader);
    // The bytes must be read: a compiler that sees no use of them reads none.
    volatile uint8_t kept = sum;
    (void)kept;
    return 0;
}
