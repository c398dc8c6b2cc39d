/* A subscriber's read through the reader of Lapse, so many times, without a socket: for tools that count. */
#include "CHiredisReader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
    if (argc != 2) return 64;
    /* What Redis sends for so many expirations; less than ReplyReader feeds at once. */
    enum { messages = 128 };
    static char slice[16 << 10];
    size_t length = 0;
    for (int number = 0; number < messages; number++)
        length += (size_t)snprintf(slice + length, sizeof slice - length,
                                   "*3\r\n$7\r\nmessage\r\n$22\r\n__keyevent@0__:expired\r\n$20\r\nsession:%012d\r\n",
                                   number);
    lapse_reader *reader = lapse_reader_create((lapse_reader_limits){1 << 20, 1 << 20, 1 << 20, 1 << 20});
    if (!reader) return 71;
    size_t seen = 0;
    for (long round = atol(argv[1]); round > 0; round--) {
        if (lapse_reader_feed(reader, slice, length) != 0) return 65;
        seen += lapse_reader_batch(reader).reply_count;
        lapse_reader_forget(reader);
    }
    lapse_reader_free(reader);
    printf("%zu messages\n", seen);
    return 0;
}
