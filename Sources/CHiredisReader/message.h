#ifndef LAPSE_MESSAGE_H
#define LAPSE_MESSAGE_H

#include "tape.h"

/// Reads the one reply that comes by the million, `*3 message <channel> <payload>`, straight from the
/// bytes fed.
///
/// Only its plain form is read here, the one that every server writes. Any other form, and what passes
/// a limit, is left to hiredis, so that there is one judge of what is refused.

enum {
    /// The longest header, up to and with the channel, that is remembered.
    LAPSE_HEADER_BYTES = 320,
};

typedef struct {
    /// The header of the last message: the next one mostly begins with the same bytes.
    char header[LAPSE_HEADER_BYTES];
    size_t header_count;
    /// Where in the header the channel lies.
    size_t channel_offset, channel_count;
    /// The longest payload that the limits allow on this channel.
    size_t payload_limit;
    /// The length of the payload that is to be passed over.
    size_t large_count;
    /// The channel is on the tape, ahead of its messages.
    bool is_on_tape;
} lapse_channel;

typedef enum {
    /// Nothing is left, or not enough to tell.
    lapse_rest_incomplete,
    /// What is left begins with something else.
    lapse_rest_other,
    /// What is left begins with a payload that is to be passed over; its header was taken.
    lapse_rest_large,
    lapse_rest_no_memory,
} lapse_rest;

/// Takes whole messages from the front onto the tape, at most `most`.
///
/// Returns how many bytes they had; `rest` says what comes behind them.
size_t lapse_messages_take(
    lapse_channel *channel, lapse_tape *tape, const lapse_reader_limits *limits, const char *bytes, size_t count,
    size_t most, lapse_rest *rest);

/// Puts the message on the tape whose payload was passed over.
bool lapse_message_append_large(lapse_channel *channel, lapse_tape *tape, const char *begin);

/// Whether the bytes, as far as they go, begin with a message or something that only differs from it
/// later.
bool lapse_message_begins(const char *bytes, size_t count);

#endif
