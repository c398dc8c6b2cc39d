import LeaderElection
import LeaderElectionRedis
import Logging
import NIOCore
import NIOPosix
import RESP
import RedisClient
import Synchronization
import Testing

@testable import Lapse

/// I14: no input from a socket ends a process. Each test feeds one parser, and goes on as the product
/// does with what was read.
///
/// A trap ends the test process: `LAPSE_FUZZ_VERBOSE=1 swift test --filter HostileInputTests/NAME`
/// prints the case that did it last; `LAPSE_FUZZ_SEED` draws others.
@Suite(.timeLimit(.minutes(5)))
struct HostileInputTests {
    private let node = NodeAddress(host: "10.0.0.1", port: 6379)

    /// A log in which ten expirations were heard and numbered.
    private func logs() -> LogSet {
        let logs = LogSet(limitBytes: 1 << 20, limitAge: .seconds(60))
        let log = logs.log(of: "run", at: node)
        log.subscriptionBegan()
        hear(log, (1...10).map { (EventChannel.name(0), "k:\($0)") } + [("lapse:test", "nonce")])
        _ = log.resolve(counter: 10)
        return logs
    }

    private func hear(_ log: NodeLog, _ messages: [(channel: String, payload: String)]) {
        var reader = ReplyReader()
        var bytes = ByteBuffer()
        for (channel, payload) in messages { RESPCommand("message", channel, payload).encode(into: &bytes) }
        try? reader.read(bytes) { batch in
            _ = log.take(batch, now: 1_000, look: 0) { _ in log.pinMark() }
        }
    }

    private func machine(_ logs: LogSet) -> DeliveryMachine {
        var machine = DeliveryMachine(
            logs: logs, filter: KeyFilter(match: ["k:*"], ignore: [], databases: [0]), lanes: 1)
        let master = Topology.Node(id: "m", address: node, role: .master)
        machine.note(TopologyPoll(topology: Topology(mode: .standalone, nodes: [master]), ownWord: [:], number: 0))
        return machine
    }

    /// What a leader does with its logs, and with what it then asks its peers.
    private func lead(_ machine: inout DeliveryMachine, _ logs: LogSet, _ progress: [String: Progress]) {
        machine.begin(token: FencingToken(rawValue: 9), progress: progress, now: 2_000)
        for _ in 0..<6 {
            for work in machine.take(4) { machine.finish(work) }
            for hole in machine.takeActions().holes {
                // As `RepairPeer` does on the other side.
                if let asked = RepairRequest(
                    RepairRequest(nonce: "1", asker: "a", runID: hole.runID, ordinals: hole.ordinals).text)
                {
                    answer(asked, logs)
                }
                _ = machine.settle(hole, .answered)
            }
            _ = machine.accounts()
            _ = machine.backlog()
        }
        for entry in machine.progress() {
            let again = Progress(field: entry.field, text: entry.text)
            #expect(again?.cursor == entry.cursor)
            logs[entry.runID]?.trim(through: entry.cursor.settled)
            if let account = PublishedAccount(entry) { _ = account.account.imbalance }
        }
        machine.end()
    }

    private func answer(_ request: RepairRequest, _ logs: LogSet) {
        var reply = RepairReply(to: request, from: "b")
        for _ in 0..<80 where reply.next(from: logs, SlotOwnership().seen(from:)) != .over {}
    }

    @Test("control messages: a question to peers, and the log line about it")
    func questions() async {
        var draw = HostileText(1)
        let logs = logs()
        // A peer waits for what a living feed may still bring, by the clock: these feeds are over.
        let ended = self.logs()
        for log in ended.all { log.subscriptionEnded(now: 1_000) }
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        for _ in 0..<HostileText.rounds {
            let text = draw.text(
                "question",
                [
                    "repair:1f3a:run:1-9:a", "repair:1:run:5-5:b", "repair:x:y:1-18446744073709551615:z",
                    "repair:2:run:1-4294967296:host-1:2",
                ])
            guard let request = RepairRequest(text) else { continue }
            #expect(RepairRequest(request.text) == request)
            answer(request, logs)
            let runner = AcceptingRunner(answers: 1)
            let peer = RepairPeer(
                id: "b", logs: ended, client: runner, places: RepairPlaces(name: "test", isSpread: false),
                members: { [request.asker] }, ownership: SlotOwnership().seen(from:), on: loop,
                logger: Logger(label: "test") { _ in EveryLine() })
            guard request.asker != "b" else { continue }
            peer.hear(request)
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await peer.run() }
                for await _ in runner.done { break }
                group.cancelAll()
            }
        }
    }

    @Test("an answer of a peer: expirations, and processes that it knows")
    func answers() {
        var draw = HostileText(2)
        for _ in 0..<HostileText.rounds {
            let logs = logs()
            let heard = (0..<4).map { index in
                HeardExpiration(
                    ordinal: draw.chance(30) ? draw.number() : 11 + UInt64(index), database: 0,
                    receivedAt: draw.chance(30) ? draw.number() : 1_000,
                    standing: draw.pick([.unknown, .owned, .disowned]), key: Array("k:\(index)".utf8))
            }
            let done = RepairAnswer.done(
                replica: "b",
                processes: [
                    HeardProcess(runID: "run", node: "10.0.0.1:6379"), HeardProcess(runID: "x", node: "[::1]:65535"),
                ])
            let bytes = draw.bytes("answer", draw.pick([RepairAnswer.heard(heard).bytes, done.bytes]))
            guard let answer = RepairAnswer(ByteBuffer(bytes: bytes)) else { continue }
            let lower = draw.pick([1, 11, 1000]) as UInt64
            let hole = Repairer.Hole(runID: "run", node: "\(node)", ordinals: lower...lower + 1 << 32)
            var inquiry = RepairInquiry(hole, peers: ["b"])
            _ = inquiry.next(now: .zero, leads: true)
            inquiry.asked(now: .zero)
            inquiry.take(answer, into: logs, look: 0, now: 2_000)
            var machine = machine(logs)
            lead(&machine, logs, [:])
        }
    }

    @Test("a field of the progress hash: what a leader, a follower and a feed do with it")
    func progress() {
        var draw = HostileText(3)
        for _ in 0..<HostileText.rounds {
            let text = draw.text(
                "progress", ["7 1 9 0 10.0.0.1:6379 -", "7 1 9 3 10.0.0.1:6379 3,7-9", "7 2 5 0 [::1]:1 1-4"])
            guard let progress = Progress(field: draw.pick(["log:run", "log:gone", "log:"]), text: text) else {
                continue
            }
            let logs = logs()
            let log = logs.log(of: progress.runID, at: node)
            // As a follower.
            log.adopt(base: progress.base)
            log.trim(through: progress.cursor.settled)
            // As a feed whose next mark follows.
            hear(log, [(EventChannel.name(0), "k:11"), ("lapse:test", "nonce")])
            _ = log.resolve(counter: draw.pick([0, 11, 12, 1 << 40]))
            _ = log.counts
            var machine = machine(logs)
            lead(&machine, logs, [progress.runID: progress])
            _ = logs.replaced([progress.runID: progress])
            logs.tidy(now: 3_000, monotonic: .seconds(3))
        }
    }

    @Test("an account beside the progress, as `lapse status` shows it")
    func accounts() {
        var draw = HostileText(4)
        var sum = NodeAccount()
        for _ in 0..<HostileText.rounds {
            let text = draw.text("account", ["7 1 10 5 1 2 1 1 0", "7 1 10 5 1 2 1 1 0 0"])
            guard let account = PublishedAccount(field: "account:run", text: text) else { continue }
            _ = account.account.imbalance
            sum = sum + account.account
            if sum.announced > 1 << 62 { sum = NodeAccount() }
        }
    }

    @Test("INFO: any sequence of counters, marks and bases")
    func counters() {
        var draw = HostileText(5)
        let info = "# Stats\r\ntotal_net_input_bytes:5\r\nexpired_keys:1000\r\nevicted_keys:0\r\n"
        for _ in 0..<HostileText.rounds {
            let logs = logs()
            guard let log = logs["run"] else { continue }
            for _ in 0..<8 {
                switch Int.random(in: 0..<5, using: &draw.random) {
                case 0: hear(log, [(EventChannel.name(0), "k:x")])
                case 1:
                    log.subscriptionEnded(now: 1_000)
                    log.subscriptionBegan()
                case 2:
                    let text = draw.text("base", ["7 1 9 3 10.0.0.1:6379 -"])
                    if let base = Progress(field: "log:run", text: text)?.base { log.adopt(base: base) }
                default:
                    let text = draw.text("info", [info])
                    guard let counter = expiredKeys(in: .text(text)) else { continue }
                    let last = log.counts.last ?? 0
                    var check = CounterCheck()
                    let announced = Int64(counter) + log.base
                    _ = check.look(announced: announced, before: last, now: last)
                    log.saw(counter: counter)
                    hear(log, [("lapse:test", "nonce")])
                    _ = log.resolve(counter: counter)
                }
                _ = log.missing(in: 1...20)
            }
            var machine = machine(logs)
            lead(&machine, logs, [:])
        }
    }

    private func expiredKeys(in info: RESPValue) -> UInt64? {
        infoCount("expired_keys", in: info)
    }

    @Test("the channel of a message, and the database in it")
    func channels() {
        var draw = HostileText(6)
        for _ in 0..<HostileText.rounds {
            let text = draw.text("channel", ["__keyevent@0__:expired", "__keyevent@15__:expired", "lapse:test"])
            let bytes = Array(text.utf8)
            guard let database = EventChannel.database(of: unsafe bytes.span.bytes) else { continue }
            // Only what Redis can mean: no larger number that ends in the same sixteen bits.
            let digits = text.dropFirst("__keyevent@".count).prefix { $0 != "_" }
            #expect(Int(digits) == Int(database) && text.hasSuffix("__:expired"), "\(text)")
        }
    }

    @Test("the registers' answers about progress and members")
    func registers() async {
        var draw = HostileText(7)
        let example = RESPValue.array([
            .array([
                .text("token"), .text("7"), .text("log:run"), .text("7 1 9 0 10.0.0.1:6379 3,7-9"),
                .text("account:run"), .text("7 1 10 5 1 2 1 1 0"),
            ]),
            .array([.text("a"), .text("1700000000"), .text("b"), .text("1699999999")]),
            .integer(1_700_000_000),
        ])
        for _ in 0..<HostileText.rounds / 4 {
            let reply = draw.reply("register", example)
            let keeper = ProgressKeeper(
                places: [.init(keys: ElectionKeys.registers(1, name: "test")[0], runner: FixedReply(reply))], id: "a")
            guard let read = await keeper.read() else { continue }
            let logs = logs()
            var machine = machine(logs)
            machine.note(peers: keeper.peers)
            lead(&machine, logs, read.entries)
        }
    }
}

/// Accepts every answer of a peer, and says when it has.
private final class AcceptingRunner: CommandRunner {
    let done: AsyncStream<Void>
    private let finished: AsyncStream<Void>.Continuation
    private let left: Mutex<Int>

    init(answers: Int) {
        left = Mutex(answers)
        (done, finished) = AsyncStream.makeStream()
    }

    func send(_ command: RESPCommand, key: String) async throws(RedisError) -> RESPValue { .integer(1) }

    func run(_ script: Script, keys: [String], arguments: [[UInt8]]) async throws(RedisError) -> RESPValue {
        if RepairAnswer(ByteBuffer(bytes: arguments[0])).map({ if case .done = $0 { true } else { false } }) ?? false {
            finished.yield()
        }
        return .integer(1)
    }
}

/// Makes the text of every line, as a log that is shown does.
private struct EveryLine: LogHandler {
    var logLevel = Logger.Level.trace
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { _ = "\(event.message) \(event.metadata ?? [:])" }
}

/// Answers every script with one reply.
struct FixedReply: ScriptRunner {
    let reply: RESPValue

    init(_ reply: RESPValue) { self.reply = reply }

    func run(_ script: Script, keys: [String], arguments: [[UInt8]], timeout: Duration) async throws(RedisError)
        -> RESPValue
    { reply }

    func node(for key: String) -> NodeAddress? { nil }
}
