#ifndef LAPSE_CHIREDIS_READER_H
#define LAPSE_CHIREDIS_READER_H

#include <stddef.h>
#include <stdint.h>

/// Decodes RESP2 with hiredis' parser into a flat tape instead of a tree of `redisReply`.
///
/// A reply is one node per value in the order of the wire: an array's node is followed by its elements.
/// A message of a subscription in its plain form is one node, its payload, behind the node of its
/// channel. Tape and bytes are reused from batch to batch, so a warm reader allocates nothing.

typedef enum : uint32_t {
    lapse_node_simple,
    lapse_node_error,
    lapse_node_integer,
    lapse_node_bulk,
    lapse_node_null,
    lapse_node_array,
    /// No reply: the channel of all messages behind it.
    lapse_node_channel,
    /// `message`, the last channel, and this payload. Payloads of neighbouring nodes lie back to back.
    lapse_node_message,
    /// The same of a payload that was passed over: its length, and no more than LAPSE_LARGE_BYTES of its
    /// beginning.
    lapse_node_large_message,
} lapse_node_kind;

enum { LAPSE_LARGE_BYTES = 64 };

typedef struct {
    /// The integer; the length of a string; the number of elements of an array.
    int64_t value;
    /// Where a string begins in the batch's bytes.
    size_t offset;
    lapse_node_kind kind;
} lapse_node;

/// What one peer may make us hold. Past a limit the reader fails; it never allocates first.
typedef struct {
    size_t bulk_bytes;
    /// Values of one reply, nested ones included.
    size_t reply_nodes;
    size_t reply_bytes;
    /// A longer payload of a message in its plain form is passed over as it comes, and not held; 0 for no
    /// such limit.
    size_t message_bytes;
} lapse_reader_limits;

/// The complete replies since the last `lapse_reader_forget`.
typedef struct {
    const lapse_node *nodes;
    size_t node_count;
    const uint8_t *bytes;
    size_t reply_count;
} lapse_batch;

typedef struct lapse_reader lapse_reader;

/// NULL when there is no memory.
lapse_reader *lapse_reader_create(lapse_reader_limits limits);
void lapse_reader_free(lapse_reader *reader);

/// Takes in the bytes; 0, or -1 when they are not RESP2 or pass a limit. An error is final, but the
/// replies that were complete before it are in the batch.
int lapse_reader_feed(lapse_reader *reader, const void *bytes, size_t count);

/// Valid until the next call that changes the reader.
lapse_batch lapse_reader_batch(const lapse_reader *reader);

/// Makes room for the next batch, and gives memory back after an unusually large reply.
void lapse_reader_forget(lapse_reader *reader);

/// Empty while there is no error.
const char *lapse_reader_error(const lapse_reader *reader);

/// Bytes held at this moment, hiredis' own buffer included.
size_t lapse_reader_footprint(const lapse_reader *reader);

#endif
