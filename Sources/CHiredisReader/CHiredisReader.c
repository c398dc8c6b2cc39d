#include "CHiredisReader.h"
#include "message.h"
#include "tape.h"

#if !__has_include(<hiredis/hiredis.h>)
#error "hiredis is missing: apt-get install libhiredis-dev"
#endif
#include <hiredis/hiredis.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    /// hiredis moves the rest of its buffer to the front every kilobyte, so small bites are cheap ones.
    BITE = 4096,
    /// No server sends a longer simple string or error; only bulk strings are long.
    LINE_BYTES = 1 << 16,
    /// One less than hiredis 0.14 can hold; 1.x goes much deeper.
    NESTED_ARRAYS = 7,
    /// hiredis never shrinks its buffer; past this size of a reply it gets a new one.
    LARGE_REPLY = 1 << 20,
    /// A message that has arrived in part waits outside hiredis, up to this size.
    CARRY_BYTES = 4096,
    /// How much is added to it at once: most messages are complete with less.
    CARRY_STEP = 256,
};

struct lapse_reader {
    redisReader *redis;
    lapse_tape tape;
    lapse_reader_limits limits;
    /// Values that the reply now arriving has announced so far.
    size_t announced;
    /// How far hiredis' buffer has ever grown.
    size_t buffered;
    /// hiredis holds nothing: a reply begins with the next byte, or in `carry`.
    bool is_at_boundary;
    lapse_channel channel;
    /// The beginning of a message.
    char carry[CARRY_BYTES];
    size_t carry_count;
    /// What is still to come of a payload that is passed over, its line end included.
    size_t large_left;
    /// Its beginning.
    char large[LAPSE_LARGE_BYTES];
    char error[160];
};

/// A callback that returns NULL makes hiredis stop; the reason that counts is the one kept here.
#define REFUSE(reader, ...) (snprintf((reader)->error, sizeof (reader)->error, __VA_ARGS__), NULL)

static void *out_of_memory(lapse_reader *reader) { return REFUSE(reader, "out of memory"); }

static void *resp3(lapse_reader *reader) {
    return REFUSE(reader, "a RESP3 reply on a connection that speaks RESP2");
}

static size_t reply_bytes(const lapse_reader *reader) {
    return reader->tape.byte_count - reader->tape.open_byte;
}

static void *too_large(lapse_reader *reader) {
    return REFUSE(reader, "a reply of more than %zu bytes", reader->limits.reply_bytes);
}

static void *bulk_too_large(lapse_reader *reader, unsigned long long count) {
    return REFUSE(
        reader, "a bulk string of %llu bytes, where at most %zu are accepted", count, reader->limits.bulk_bytes);
}

static void *create_string(const redisReadTask *task, char *bytes, size_t count) {
    lapse_reader *reader = task->privdata;
    lapse_node_kind kind;
    switch (task->type) {
    case REDIS_REPLY_STRING:
        kind = lapse_node_bulk;
        // hiredis skips these two bytes unseen, and then reads on out of step.
        if (bytes[count] != '\r' || bytes[count + 1] != '\n')
            return REFUSE(reader, "a bulk string that does not end where its length says");
        if (count > reader->limits.bulk_bytes) return bulk_too_large(reader, count);
        break;
    case REDIS_REPLY_STATUS:
        kind = lapse_node_simple;
        break;
    case REDIS_REPLY_ERROR:
        kind = lapse_node_error;
        break;
    default:
        return resp3(reader);
    }
    if (kind != lapse_node_bulk && count > LINE_BYTES)
        return REFUSE(reader, "a line of more than %d bytes", LINE_BYTES);
    if (count > reader->limits.reply_bytes - reply_bytes(reader)) return too_large(reader);
    if (!lapse_tape_append_bytes(&reader->tape, kind, bytes, count)) return out_of_memory(reader);
    return reader;
}

static void *open_array(const redisReadTask *task, unsigned long long elements) {
    lapse_reader *reader = task->privdata;
    if (task->type != REDIS_REPLY_ARRAY) return resp3(reader);
    int depth = 1;
    for (const redisReadTask *outer = task->parent; outer; outer = outer->parent) depth++;
    if (depth > NESTED_ARRAYS) return REFUSE(reader, "arrays nested deeper than %d", NESTED_ARRAYS);
    if (elements > reader->limits.reply_nodes - reader->announced)
        return REFUSE(reader, "a reply of more than %zu values", reader->limits.reply_nodes);
    reader->announced += elements;
    if (!lapse_tape_append(&reader->tape, lapse_node_array, (int64_t)elements)) return out_of_memory(reader);
    return reader;
}

static void *create_integer(const redisReadTask *task, long long value) {
    lapse_reader *reader = task->privdata;
    if (!lapse_tape_append(&reader->tape, lapse_node_integer, value)) return out_of_memory(reader);
    return reader;
}

static void *create_nil(const redisReadTask *task) {
    lapse_reader *reader = task->privdata;
    // "$-1" and "*-1" keep their own type; "_" is RESP3.
    if (task->type == REDIS_REPLY_NIL) return resp3(reader);
    if (!lapse_tape_append(&reader->tape, lapse_node_null, 0)) return out_of_memory(reader);
    return reader;
}

/// What hiredis holds as an object is the reader itself.
static void free_nothing(void *object) { (void)object; }

#if HIREDIS_MAJOR >= 1
static void *create_array(const redisReadTask *task, size_t elements) { return open_array(task, elements); }

static void *create_double(const redisReadTask *task, double value, char *text, size_t count) {
    (void)value, (void)text, (void)count;
    return resp3(task->privdata);
}

static void *create_bool(const redisReadTask *task, int value) {
    (void)value;
    return resp3(task->privdata);
}
#else
static void *create_array(const redisReadTask *task, int elements) {
    return open_array(task, (unsigned long long)elements);
}
#endif

/// Not const: hiredis takes a plain pointer, and never writes to it.
static redisReplyObjectFunctions functions = {
    .createString = create_string,
    .createArray = create_array,
    .createInteger = create_integer,
    .createNil = create_nil,
#if HIREDIS_MAJOR >= 1
    .createDouble = create_double,
    .createBool = create_bool,
#endif
    .freeObject = free_nothing,
};

static redisReader *create_redis_reader(lapse_reader *reader) {
    redisReader *redis = redisReaderCreateWithFunctions(&functions);
    if (!redis) return NULL;
    redis->privdata = reader;
    redis->maxbuf = 0;
    return redis;
}

lapse_reader *lapse_reader_create(lapse_reader_limits limits) {
    lapse_reader *reader = calloc(1, sizeof *reader);
    if (!reader) return NULL;
    reader->limits = limits;
    reader->announced = 1;
    reader->is_at_boundary = true;
    reader->redis = create_redis_reader(reader);
    if (!reader->redis) {
        free(reader);
        return NULL;
    }
    return reader;
}

void lapse_reader_free(lapse_reader *reader) {
    redisReaderFree(reader->redis);
    lapse_tape_free(&reader->tape);
    free(reader);
}

/// The length of a bulk string whose header has arrived and whose bytes have not, or -1.
///
/// hiredis stops right behind the type byte of what is incomplete, and digits with a line end are
/// incomplete only if a bulk string follows.
static long long awaited_bulk(const redisReader *redis) {
    const char *digit = redis->buf + redis->pos, *end = redis->buf + redis->len;
    if (digit == end || *digit < '0' || *digit > '9') return -1;
    long long length = 0;
    for (; digit < end && *digit >= '0' && *digit <= '9'; digit++)
        length = length > INT64_MAX / 10 - 1 ? INT64_MAX / 10 : length * 10 + (*digit - '0');
    return end - digit >= 2 && digit[0] == '\r' && digit[1] == '\n' ? length : -1;
}

/// Refuses what hiredis would wait for without a bound.
static void check_awaited(lapse_reader *reader) {
    size_t awaited = reader->redis->len - reader->redis->pos;
    long long bulk = awaited_bulk(reader->redis);
    if (bulk < 0) {
        if (awaited > LINE_BYTES) REFUSE(reader, "a line of more than %d bytes", LINE_BYTES);
    } else if ((unsigned long long)bulk > reader->limits.bulk_bytes) {
        bulk_too_large(reader, (unsigned long long)bulk);
    } else if ((size_t)bulk > reader->limits.reply_bytes - reply_bytes(reader)) {
        too_large(reader);
    }
}

/// Right behind a complete reply hiredis holds nothing but the bytes that follow it; the new one gets
/// `kept` of them.
static bool renew_redis_reader(lapse_reader *reader, size_t kept) {
    redisReader *old = reader->redis, *new = create_redis_reader(reader);
    if (!new) return false;
    reader->redis = new;
    reader->buffered = 0;
    int fed = redisReaderFeed(new, old->buf + old->pos, kept);
    redisReaderFree(old);
    return fed == REDIS_OK;
}

/// Returns how many of the bytes fed last hiredis has given back.
static size_t take_replies(lapse_reader *reader) {
    for (;;) {
        void *reply = NULL;
        if (redisReaderGetReply(reader->redis, &reply) != REDIS_OK) return 0;
        if (!reply) {
            check_awaited(reader);
            return 0;
        }
        lapse_tape_close_reply(&reader->tape);
        reader->announced = 1;
        size_t left = reader->redis->len - reader->redis->pos;
        // Also when only its first bytes are here: hiredis would hold all of it, however long it is.
        bool is_message = lapse_message_begins(reader->redis->buf + reader->redis->pos, left);
        reader->is_at_boundary = left == 0 || is_message;
        if ((is_message || reader->buffered > LARGE_REPLY) && !renew_redis_reader(reader, is_message ? 0 : left)) {
            out_of_memory(reader);
            return 0;
        }
        if (reader->is_at_boundary) return left;
    }
}

/// Keeps the first reason; hiredis' own one when it found the fault itself.
static bool failed(lapse_reader *reader) {
    if (reader->error[0]) return true;
    if (!reader->redis->err) return false;
    const char *text = reader->redis->errstr, *prefix = "Protocol error, ";
    if (strncmp(text, prefix, strlen(prefix)) == 0) text += strlen(prefix);
    snprintf(reader->error, sizeof reader->error, "%s", text);
    return true;
}

/// Returns how many of the bytes are done with.
static size_t feed_hiredis(lapse_reader *reader, const char *bytes, size_t count) {
    size_t bite = count < BITE ? count : BITE;
    redisReaderFeed(reader->redis, bytes, bite);
    if (reader->redis->len > reader->buffered) reader->buffered = reader->redis->len;
    return bite - take_replies(reader);
}

/// What comes next is none of the plain messages: hiredis goes on from here.
static size_t leave_to_hiredis(lapse_reader *reader) {
    reader->is_at_boundary = false;
    if (reader->carry_count > 0) redisReaderFeed(reader->redis, reader->carry, reader->carry_count);
    reader->carry_count = 0;
    return 0;
}

/// What comes next is a payload that is passed over.
static void begin_large(lapse_reader *reader) {
    reader->carry_count = 0;
    reader->large_left = reader->channel.large_count + 2;
}

/// Takes what has arrived of such a payload; returns how many of the bytes are done with.
static size_t pass_over(lapse_reader *reader, const char *bytes, size_t count) {
    size_t length = reader->channel.large_count, left = reader->large_left;
    if (left > 2) {
        size_t passed = length + 2 - left, taken = count < left - 2 ? count : left - 2;
        if (passed < LAPSE_LARGE_BYTES) {
            size_t room = LAPSE_LARGE_BYTES - passed;
            memcpy(reader->large + passed, bytes, taken < room ? taken : room);
        }
        reader->large_left -= taken;
        return taken;
    }
    if (*bytes != (left == 2 ? '\r' : '\n'))
        return REFUSE(reader, "a bulk string that does not end where its length says"), 0;
    reader->large_left--;
    if (reader->large_left == 0 && !lapse_message_append_large(&reader->channel, &reader->tape, reader->large))
        out_of_memory(reader);
    return 1;
}

/// Adds to the message that has arrived in part; returns how many of the bytes are done with.
static size_t complete_carry(lapse_reader *reader, const char *bytes, size_t count) {
    size_t carried = reader->carry_count, room = CARRY_BYTES - carried;
    size_t added = count < CARRY_STEP ? count : CARRY_STEP;
    if (added > room) added = room;
    memcpy(reader->carry + carried, bytes, added);
    lapse_rest rest = lapse_rest_incomplete;
    size_t taken = lapse_messages_take(
        &reader->channel, &reader->tape, &reader->limits, reader->carry, carried + added, 1, &rest);
    if (rest == lapse_rest_no_memory) return out_of_memory(reader), 0;
    if (rest == lapse_rest_large) return begin_large(reader), taken - carried;
    if (taken > 0) {
        reader->carry_count = 0;
        return taken - carried;
    }
    if (rest == lapse_rest_other || added == 0) return leave_to_hiredis(reader);
    reader->carry_count += added;
    return added;
}

/// Takes the plain messages in front; returns how many of the bytes are done with.
static size_t take_messages(lapse_reader *reader, const char *bytes, size_t count) {
    if (reader->carry_count > 0) return complete_carry(reader, bytes, count);
    lapse_rest rest = lapse_rest_incomplete;
    size_t taken =
        lapse_messages_take(&reader->channel, &reader->tape, &reader->limits, bytes, count, SIZE_MAX, &rest);
    if (rest == lapse_rest_no_memory) return out_of_memory(reader), 0;
    if (rest == lapse_rest_large) return begin_large(reader), taken;
    size_t left = count - taken;
    if (rest == lapse_rest_other || left > CARRY_BYTES) return leave_to_hiredis(reader), taken;
    memcpy(reader->carry, bytes + taken, left);
    reader->carry_count = left;
    return count;
}

int lapse_reader_feed(lapse_reader *reader, const void *bytes, size_t count) {
    const char *next = bytes;
    while (count > 0 && !failed(reader)) {
        size_t done = reader->large_left > 0   ? pass_over(reader, next, count)
                      : reader->is_at_boundary ? take_messages(reader, next, count)
                                               : feed_hiredis(reader, next, count);
        next += done;
        count -= done;
    }
    return failed(reader) ? -1 : 0;
}

lapse_batch lapse_reader_batch(const lapse_reader *reader) {
    return (lapse_batch){
        .nodes = reader->tape.nodes,
        .node_count = reader->tape.open_node,
        .bytes = reader->tape.bytes,
        .reply_count = reader->tape.reply_count,
    };
}

void lapse_reader_forget(lapse_reader *reader) {
    lapse_tape_forget(&reader->tape);
    reader->channel.is_on_tape = false;
}

const char *lapse_reader_error(const lapse_reader *reader) { return reader->error; }

size_t lapse_reader_footprint(const lapse_reader *reader) {
    return reader->buffered + reader->tape.byte_capacity + reader->tape.node_capacity * sizeof(lapse_node);
}
