#!/usr/bin/env python3
"""What `lapse work` costs for each entry of a stream, beside redis-py's XREADGROUP and XACK in the same run.

  scripts/bench-support/work_cost.py [--lapse .build/release/lapse] [--entries 300000] [--concurrency N] [--rate N]

One server of its own; the entries stand in the stream before the worker starts. Processor seconds (user and system) for each million
entries, of the worker and of the server, and entries a second. With --rate entries come at that
pace instead, and the time from XADD to the printed line is told; with --feed they do, too, and the same is told as without.
Needs redis-server; a row for redis-py where it is installed.
"""
import argparse, json, shutil, socket, subprocess, sys, tempfile, threading, time

from redis_socket import Connection, seconds

options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
options.add_argument("--lapse", default=".build/release/lapse")
options.add_argument("--entries", type=int, default=300_000)
options.add_argument("--handler", default="none")
options.add_argument("--concurrency", type=int)
options.add_argument("--rate", type=int)
options.add_argument("--feed", type=int)
options = options.parse_args()


def fields(number):
    return ("id", f"{'a' * 40}-{number}", "key", f"session:{number:07d}", "database", 0, "node", "127.0.0.1:6379", "runId", "a" * 40,
            "ordinal", number, "origin", "live", "deadline", int(time.time() * 1000), "lagMs", 3, "term", 1, "token", 5)


def fill(redis, entries):
    redis("DEL", "exp", "exp:lapse:attempts:g", "{exp}:lapse:attempts:g")
    redis("XGROUP", "CREATE", "exp", "g", "0", "MKSTREAM")
    for start in range(0, entries, 1000):
        numbers = range(start + 1, min(start + 1000, entries) + 1)
        for number in numbers:
            redis.write("XADD", "exp", "*", *fields(number))
        redis.file.flush()
        for _ in numbers:
            redis.read()


def await_end(redis, process):
    stream = redis("XINFO", "STREAM", "exp")
    last = dict(zip(stream[::2], stream[1::2]))[b"last-generated-id"]
    while True:
        group = redis("XINFO", "GROUPS", "exp")[0]
        facts = dict(zip(group[::2], group[1::2]))
        if facts[b"last-delivered-id"] == last and int(facts[b"pending"]) == 0:
            return
        assert process.poll() is None, "the worker has ended"
        time.sleep(0.02)


def until(what, condition):
    deadline = time.time() + 20
    while not condition():
        assert time.time() < deadline, what
        time.sleep(0.02)


def feed(redis, rate, entries):
    """Adds what is due, each half millisecond."""
    began, added = time.time(), 0
    while added < entries:
        due = min(entries, int((time.time() - began) * rate))
        for number in range(added + 1, due + 1):
            redis.write("XADD", "exp", "*", *fields(number))
        redis.file.flush()
        for _ in range(added, due):
            redis.read()
        added = due
        time.sleep(0.0005)


def row(name, redis, server, words, entries):
    fill(redis, 0 if options.feed else entries)
    before = seconds(server.pid)
    began, start = time.time(), 0
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if options.feed:
        until("the worker does not read", lambda: b"XREADGROUP" in redis("CLIENT", "LIST").upper())
        began, start, before = time.time(), seconds(process.pid), seconds(server.pid)
        feed(redis, options.feed, entries)
    await_end(redis, process)
    took = time.time() - began
    cost, own = seconds(process.pid) - start, seconds(server.pid) - before
    process.terminate()
    process.wait()
    million = 1e6 / entries
    print(f"| {name} | {cost * million:.1f} | {own * million:.1f} | {entries / took:,.0f} |", flush=True)


PYTHON = """
import redis, sys
client = redis.Redis(port=int(sys.argv[1]))
while True:
    for stream, entries in client.xreadgroup("g", "py", {"exp": ">"}, count=256, block=1000):
        client.xack("exp", "g", *[id for id, _ in entries])
"""


def paced(redis, words, rate, seconds_long):
    redis("DEL", "exp")
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    seen = []

    def listen():
        for line in process.stdout:
            now = time.time()
            seen.append((json.loads(line), now))

    threading.Thread(target=listen, daemon=True).start()
    until("the worker does not read", lambda: b"XREADGROUP" in redis("CLIENT", "LIST").upper())
    sent, began = {}, time.time()
    for number in range(1, rate * seconds_long + 1):
        due = began + number / rate
        while (now := time.time()) < due:
            time.sleep(min(due - now, 0.0005))
        key = f"session:{number:07d}"
        sent[key] = time.time()
        redis("XADD", "exp", "*", *fields(number))
    until("not all are handled", lambda: len(seen) >= len(sent))
    cost = seconds(process.pid)
    process.terminate()
    process.wait()
    lags = sorted((now - sent[line["key"]]) * 1000 for line, now in seen)
    print(f"{len(lags)} of {len(sent)} at {rate}/s, from XADD to the printed line: "
          f"p50 {lags[len(lags) // 2]:.2f} ms, p99 {lags[len(lags) * 99 // 100]:.2f} ms, most {lags[-1]:.2f} ms; "
          f"{cost:.2f} processor seconds", flush=True)


def listens(port):
    try:
        return socket.create_connection(("127.0.0.1", port)).close() is None
    except OSError:
        return False


def main():
    directory = tempfile.mkdtemp(prefix="work-cost-")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(["redis-server", "--port", str(port), "--dir", directory, "--save", "", "--appendonly", "no"],
                              stdout=subprocess.DEVNULL)
    try:
        until("the server does not listen", lambda: listens(port))
        redis = Connection(port)
        words = [options.lapse, "work", "--redis", f"redis://127.0.0.1:{port}", "--stream", "exp", "--group", "g", "--id", "w",
                 "--handler", options.handler, "--log-level", "error"]
        if options.concurrency:
            words += ["--concurrency", str(options.concurrency)]
        if options.rate:
            words[words.index("--handler") + 1] = "ndjson"
            return paced(redis, words, options.rate, 10)
        print(f"| {options.entries:,} entries | worker, CPU s a million | server | entries/s |\n|---|---:|---:|---:|")
        row(f"lapse work --handler {options.handler}", redis, server, words, options.entries)
        if subprocess.run([sys.executable, "-c", "import redis"], stderr=subprocess.DEVNULL).returncode == 0:
            row("redis-py", redis, server, [sys.executable, "-c", PYTHON, str(port)], options.entries)
        else:
            print("without a row for redis-py: it is not installed")
    finally:
        server.kill()
        server.wait()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
