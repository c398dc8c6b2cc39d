#include "message.h"

#include <string.h>

static const char HEAD[] = "*3\r\n$7\r\nmessage\r\n";

enum {
    HEAD_BYTES = sizeof HEAD - 1,
    WORD_BYTES = 7,
    /// Longer lengths are hiredis' business.
    DIGITS = 9,
    /// An array and its three elements.
    VALUES = 4,
};

typedef enum { complete, incomplete, other } found;

/// Reads `$<length>\r\n`; moves `at` behind it.
static inline found read_length(const char **at, const char *end, size_t *length) {
    const char *next = *at;
    if (next == end) return incomplete;
    if (*next++ != '$') return other;
    const char *first = next;
    size_t value = 0;
    while (next < end && *next >= '0' && *next <= '9' && next - first <= DIGITS)
        value = value * 10 + (size_t)(*next++ - '0');
    size_t digits = (size_t)(next - first);
    if (digits > DIGITS || (digits > 1 && *first == '0')) return other;
    if (next == end) return incomplete;
    if (digits == 0 || *next++ != '\r') return other;
    if (next == end) return incomplete;
    if (*next++ != '\n') return other;
    *at = next;
    *length = value;
    return complete;
}

/// Whether a string of this length and its line end stand here.
static inline found read_end(const char *at, const char *end, size_t length) {
    size_t left = (size_t)(end - at);
    if (left > length && at[length] != '\r') return other;
    if (left < length + 2) return incomplete;
    return at[length + 1] == '\n' ? complete : other;
}

/// Reads up to the payload of a message on a channel that is not the last one's.
static found read_header(
    lapse_channel *channel, const lapse_reader_limits *limits, const char **at, const char *end) {
    const char *begin = *at, *next = begin;
    size_t left = (size_t)(end - begin), count = 0;
    if (WORD_BYTES > limits->bulk_bytes || WORD_BYTES > limits->reply_bytes || VALUES > limits->reply_nodes)
        return other;
    if (memcmp(begin, HEAD, left < HEAD_BYTES ? left : HEAD_BYTES) != 0) return other;
    if (left < HEAD_BYTES) return incomplete;
    next += HEAD_BYTES;
    found result = read_length(&next, end, &count);
    if (result != complete) return result;
    size_t header_count = (size_t)(next - begin) + count + 2;
    if (header_count > LAPSE_HEADER_BYTES || count > limits->bulk_bytes || WORD_BYTES + count > limits->reply_bytes)
        return other;
    result = read_end(next, end, count);
    if (result != complete) return result;

    memcpy(channel->header, begin, header_count);
    channel->header_count = header_count;
    channel->channel_offset = (size_t)(next - begin);
    channel->channel_count = count;
    size_t left_for_payload = limits->reply_bytes - WORD_BYTES - count;
    channel->payload_limit = left_for_payload < limits->bulk_bytes ? left_for_payload : limits->bulk_bytes;
    if (limits->message_bytes && limits->message_bytes < channel->payload_limit)
        channel->payload_limit = limits->message_bytes;
    channel->is_on_tape = false;
    *at = next + count + 2;
    return complete;
}

static inline bool append_channel(lapse_channel *channel, lapse_tape *tape) {
    if (channel->is_on_tape) return true;
    channel->is_on_tape = lapse_tape_append_bytes(
        tape, lapse_node_channel, channel->header + channel->channel_offset, channel->channel_count);
    return channel->is_on_tape;
}

static inline bool append(lapse_channel *channel, lapse_tape *tape, const char *payload, size_t count) {
    if (!append_channel(channel, tape)) return false;
    if (!lapse_tape_append_bytes(tape, lapse_node_message, payload, count)) return false;
    lapse_tape_close_reply(tape);
    return true;
}

size_t lapse_messages_take(
    lapse_channel *channel, lapse_tape *tape, const lapse_reader_limits *limits, const char *bytes, size_t count,
    size_t most, lapse_rest *rest) {
    const char *next = bytes, *end = bytes + count;
    found result = incomplete;
    while (next < end && most-- > 0) {
        const char *at = next;
        if (channel->header_count > 0 && (size_t)(end - at) >= channel->header_count &&
            memcmp(at, channel->header, channel->header_count) == 0) {
            at += channel->header_count;
        } else if ((result = read_header(channel, limits, &at, end)) != complete) {
            break;
        }
        size_t length = 0;
        if ((result = read_length(&at, end, &length)) != complete) break;
        if (length > channel->payload_limit) {
            if (limits->message_bytes && length > limits->message_bytes) {
                channel->large_count = length;
                *rest = lapse_rest_large;
                return (size_t)(at - bytes);
            }
            result = other;
            break;
        }
        if ((result = read_end(at, end, length)) != complete) break;
        if (!append(channel, tape, at, length)) {
            *rest = lapse_rest_no_memory;
            return (size_t)(next - bytes);
        }
        next = at + length + 2;
    }
    *rest = next < end && result == other ? lapse_rest_other : lapse_rest_incomplete;
    return (size_t)(next - bytes);
}

bool lapse_message_append_large(lapse_channel *channel, lapse_tape *tape, const char *begin) {
    size_t kept = channel->large_count < LAPSE_LARGE_BYTES ? channel->large_count : LAPSE_LARGE_BYTES;
    if (!append_channel(channel, tape) || !lapse_tape_append_bytes(tape, lapse_node_large_message, begin, kept))
        return false;
    tape->nodes[tape->node_count - 1].value = (int64_t)channel->large_count;
    lapse_tape_close_reply(tape);
    return true;
}

bool lapse_message_begins(const char *bytes, size_t count) {
    return count > 0 && memcmp(bytes, HEAD, count < HEAD_BYTES ? count : HEAD_BYTES) == 0;
}
