/* The yardstick: the least a program can do with hiredis to hear expirations. It handles none and keeps none. */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    if (argc != 3) return 64;
    redisContext *redis = redisConnect(argv[1], atoi(argv[2]));
    if (!redis || redis->err) return 69;
    freeReplyObject(redisCommand(redis, "SUBSCRIBE __keyevent@0__:expired"));
    unsigned long long keys = 0, bytes = 0;
    redisReply *reply;
    while (redisGetReply(redis, (void **)&reply) == REDIS_OK) {
        if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 3) {
            keys++;
            bytes += reply->element[2]->len;
        }
        freeReplyObject(reply);
    }
    printf("%llu keys, %llu bytes\n", keys, bytes);
    return 0;
}
