"""The same with redis-py and its hiredis parser."""
import sys

import redis

listener = redis.Redis(host=sys.argv[1], port=int(sys.argv[2])).pubsub()
listener.subscribe("__keyevent@0__:expired")
while True:
    listener.get_message(timeout=1)
