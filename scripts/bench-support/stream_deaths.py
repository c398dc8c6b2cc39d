#!/usr/bin/env python3
"""A million expirations through --stream and four workers, two of them and the leader killed on the way.

  scripts/bench-support/stream_deaths.py [--lapse .build/release/lapse] [--events 1000000]

A cluster of three masters and three replicas, three replicas of `lapse run --stream`, four of `lapse work`. A group that reads nothing keeps all
entries in the stream, so that they can be counted. Says how many positions stand in the stream, and how often; what was handled, lost, and
handled twice; and what it cost each of them. Needs redis-server, redis-cli and nothing else; takes some minutes and 3 GB of memory.
"""
import argparse, binascii, collections, json, os, shutil, socket, subprocess, sys, tempfile, time

from redis_socket import Connection, seconds

options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
options.add_argument("--lapse", default=".build/release/lapse")
options.add_argument("--events", type=int, default=1_000_000)
options.add_argument("--partitions", type=int, default=6)
options.add_argument("--seconds", type=int, default=60, help="over how long the keys fall due")
options = options.parse_args()


def slot(key):
    return binascii.crc_hqx(key, 0) % 16384


class Group:
    """Processes of one kind, and what they have cost, also those that were killed."""

    def __init__(self):
        self.processes, self.cost = {}, collections.Counter()

    def start(self, name, words, out, err):
        self.processes[name] = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=err)

    def look(self):
        for name, process in self.processes.items():
            try:
                self.cost[name] = max(self.cost[name], seconds(process.pid))
            except OSError:
                pass

    def kill(self, name):
        self.look()
        self.processes[name].kill()
        self.processes[name].wait()


directory = tempfile.mkdtemp(prefix="stream-deaths-")
servers, replicas, workers = Group(), Group(), Group()


def ports():
    found = []
    while len(found) < 6:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port < 55000 and port not in found:
            found.append(port)
    return found


def main():
    nodes = ports()
    for port in nodes:
        home = os.path.join(directory, str(port))
        os.mkdir(home)
        servers.start(
            port, ["redis-server", "--port", str(port), "--dir", home, "--cluster-enabled", "yes", "--save", "",
                   "--appendonly", "no", "--notify-keyspace-events", "Ex", "--cluster-node-timeout", "5000",
                   "--client-output-buffer-limit", "replica", "0", "0", "0"],
            subprocess.DEVNULL, subprocess.DEVNULL)
    time.sleep(1)
    addresses = [f"127.0.0.1:{port}" for port in nodes]
    subprocess.run(["redis-cli", "--cluster", "create", *addresses, "--cluster-replicas", "1", "--cluster-yes"],
                   check=True, stdout=subprocess.DEVNULL)
    deadline = time.time() + 30
    while b"cluster_state:ok" not in Connection(nodes[0])("CLUSTER", "INFO"):
        assert time.time() < deadline, "the cluster does not form"
        time.sleep(0.2)
    time.sleep(2)
    owner, connections = [None] * 16384, {port: Connection(port) for port in nodes}
    for first, last, master, *_ in connections[nodes[0]]("CLUSTER", "SLOTS"):
        for number in range(int(first), int(last) + 1):
            owner[number] = int(master[1])
    url = "redis://" + addresses[0]

    def log(name):
        return open(os.path.join(directory, name), "w")

    for name in "abc":
        replicas.start(
            name, [options.lapse, "run", "--redis", url, "--id", name, "--match", "k:*", "--stream", "exp", "--partitions",
                   str(options.partitions), "--admin", "off"], subprocess.DEVNULL, log(f"run-{name}.log"))
    deadline = time.time() + 40
    while leader("abc") is None:
        assert time.time() < deadline, "no replica leads"
        time.sleep(0.2)
    # Where the partitions are is asked, and not computed again here.
    layout = {}
    deadline = time.time() + 20
    for number in range(4):
        workers.start(
            f"w{number}", [options.lapse, "work", "--redis", url, "--id", f"w{number}", "--stream", "exp", "--group", "g",
                           "--handler", "ndjson"], log(f"handled-{number}"), log(f"work-{number}.log"))
    while len(layout) < options.partitions:
        assert time.time() < deadline, f"{len(layout)} partitions"
        for port in set(owner):
            for key in connections[port]("KEYS", "exp*" if options.partitions > 1 else "exp"):
                if connections[port]("TYPE", key) == b"stream" and key not in layout:
                    layout[key] = port
                    connections[port]("XGROUP", "CREATE", key, "audit", "0")
        time.sleep(0.2)

    print(f"{options.events} keys", flush=True)
    begin = int(time.time() * 1000) + 15_000 + options.events // 50
    batch, counts = collections.defaultdict(int), collections.Counter()
    for number in range(options.events):
        key = b"k:%07d" % number
        port = owner[slot(key)]
        due = begin + number * 7919 % options.events * options.seconds * 1000 // options.events
        connections[port].write("SET", key, "v", "PXAT", due)
        batch[port] += 1
        counts[port] += 1
        if batch[port] == 500:
            connections[port].file.flush()
            for _ in range(500):
                connections[port].read()
            batch[port] = 0
    for port, left in batch.items():
        connections[port].file.flush()
        for _ in range(left):
            connections[port].read()
    print(f"loaded, first due in {begin / 1000 - time.time():.1f} s", flush=True)
    before = {group: sum_of(group) for group in (servers, replicas, workers)}

    def length():
        return sum(int(connections[port]("XLEN", key)) for key, port in layout.items())

    victims = [(0.3, replicas, None), (0.5, workers, "w1"), (0.65, workers, "w3")]
    began, last, quiet = time.time(), -1, time.time()
    while True:
        time.sleep(0.25)
        for group in (servers, replicas, workers):
            group.look()
        now = length()
        if victims and now >= victims[0][0] * options.events:
            share, group, name = victims.pop(0)
            name = name or leader("abc")
            group.kill(name)
            print(f"{time.time() - began:6.1f} s: killed {name} at {now} entries", flush=True)
        pending = sum(lag(connections[port], key) for key, port in layout.items())
        if now + pending != last:
            last, quiet = now + pending, time.time()
        if now >= options.events and pending == 0 and time.time() - quiet > 3 or time.time() - quiet > 60:
            break
    print(f"{time.time() - began:6.1f} s: {now} entries in the stream, {pending} not acknowledged")
    positions = collections.Counter()
    keys, uncertain = set(), 0
    for key, port in layout.items():
        start = "-"
        while page := connections[port]("XRANGE", key, start, "+", "COUNT", 5000):
            for _, fields in page:
                entry = dict(zip(fields[::2], fields[1::2]))
                positions[entry[b"runId"], entry[b"ordinal"]] += 1
                keys.add(entry[b"key"])
                uncertain += b"uncertain" in entry
            start = b"(" + page[-1][0]
    handled, broken = collections.Counter(), 0
    for number in range(4):
        with open(os.path.join(directory, f"handled-{number}"), "rb") as file:
            for line in file:
                try:
                    entry = json.loads(line)
                    handled[entry["key"]] += 1
                except ValueError:
                    broken += 1
    twice = sum(count - 1 for count in positions.values())
    print(f"stream:  {len(keys)} of {options.events} keys, {len(positions)} positions, {twice} twice, {uncertain} uncertain")
    print(f"handled: {len(handled)}, lost {options.events - len(handled)}, twice {sum(handled.values()) - len(handled)}, "
          f"lines cut by a kill {broken}")
    for title, group in (("servers (6)", servers), ("lapse run (3)", replicas), ("lapse work (4)", workers)):
        total = sum_of(group) - before[group]
        print(f"{title:15} {total * 1e6 / options.events:6.2f} s of processor time per million")


def sum_of(group):
    group.look()
    return sum(group.cost.values())


def lag(connection, key):
    for group in connection("XINFO", "GROUPS", key):
        facts = dict(zip(group[::2], group[1::2]))
        if facts[b"name"] == b"g":
            newest = connection("XREVRANGE", key, "+", "-", "COUNT", 1)
            unread = int(bool(newest) and newest[0][0] != facts[b"last-delivered-id"])
            return int(facts[b"pending"]) + unread
    return 1


def leader(names):
    found = []
    for name in names:
        process = replicas.processes[name]
        with open(os.path.join(directory, f"run-{name}.log")) as file:
            lines = [line for line in file if "became leader" in line]
        if lines and process.poll() is None:
            found.append((lines[-1], name))
    return max(found)[1] if found else None


try:
    main()
finally:
    for group in (workers, replicas, servers):
        for process in group.processes.values():
            process.kill()
    if sys.exc_info()[0] is None:
        shutil.rmtree(directory, ignore_errors=True)
    else:
        print(f"what is left: {directory}", file=sys.stderr)
