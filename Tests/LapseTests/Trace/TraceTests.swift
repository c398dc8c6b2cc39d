import LeaderElection
import NIOCore
import NIOPosix
import Testing
import Timing

@testable import Lapse
@testable import RedisClient

/// What a replica keeps to tell what became of a key, and its bounds.
@Suite struct TraceTests {
    private let address = NodeAddress(host: "10.0.0.1", port: 6379)

    private func search(_ key: String, _ logs: LogSet) -> TraceSearch {
        var search = TraceSearch(Array(key.utf8))
        for shed in logs.shed?.all ?? [] { search.look(at: shed.chunk, of: shed.process) }
        for log in logs.all { for chunk in log.kept { search.look(at: chunk, of: log.process) } }
        return search
    }

    @Test("what a log lets go can still be told, as far as the bound reaches")
    func shedChunks() throws {
        let limit = 64 << 10
        let logs = LogSet(
            limitBytes: 1 << 20, limitAge: .seconds(60), chunkBytes: 1 << 10, shed: ShedChunks(limit: limit))
        let log = logs.log(of: "run", at: address)
        let shed = try #require(logs.shed)
        for round in 0..<200 {
            log.hear((0..<50).map { "key:\(round):\($0)" })
            log.trim(through: try #require(log.lastOrdinal))
            #expect(shed.held <= limit)
        }
        #expect(log.counts.entries == 0 && shed.held > limit / 2)
        let newest = try #require(search("key:199:49", logs).found.first)
        #expect(newest.entry.ordinal == 10_000 && newest.process.runID == "run")
        #expect(search("key:0:0", logs).found.isEmpty)
        #expect(search("key:199:4", logs).found.count == 1, "no key is taken for a longer one")
    }

    @Test("of a key that expires often the newest are told, each once")
    func oftenExpired() {
        let logs = LogSet(limitBytes: 1 << 20, limitAge: .seconds(60), shed: ShedChunks(limit: 1 << 20))
        let log = logs.log(of: "run", at: address)
        log.hear(Array(repeating: "hot", count: 100))
        log.trim(through: 60)
        #expect(search("hot", logs).found.map(\.entry.ordinal) == Array(85...100))
    }

    @Test("handing out and handling leave one record for neighbours, in a ring of a fixed size")
    func trail() {
        var trail = HandlingTrail(limit: 6)
        let deliveries = DeliveryList((1...3).map { Delivery.some("k\($0)", $0) })
        let process = deliveries[0].slice.process
        trail.note(.handedOut, deliveries, token: 7, now: 100)
        #expect(trail.steps(of: 2, in: process).map(\.at) == [100])
        trail.note(.handled, deliveries, bits: 0b101, token: 7, now: 200)
        #expect(trail.steps(of: 1, in: process).map(\.kind) == [.handedOut, .handled])
        #expect(trail.steps(of: 2, in: process).map(\.kind).contains(.handled) == false)
        #expect(trail.steps(of: 3, in: process).last?.kind == .handled)
        // What is older than the ring is gone, and nothing else.
        trail.note(.handedOut, DeliveryList([.some("k9", 9)]), token: 8, now: 300)
        trail.note(.handedOut, DeliveryList([.some("k10", 10)]), token: 8, now: 300)
        #expect(trail.steps(of: 9, in: process).map(\.token) == [8])
        #expect(trail.steps(of: 1, in: process).map(\.kind) == [.handled])
        #expect(trail.steps(of: 9, in: NodeProcess(runID: "other", node: "10.0.0.1:6379")).isEmpty)
    }

    @Test("a dispatcher's lanes leave their steps")
    func dispatcher() async throws {
        let logs = LogSet(limitBytes: 1 << 20, limitAge: .seconds(60))
        let log = logs.log(of: "run", at: address)
        log.hear(["a", "b"])
        let dispatcher = Dispatcher(
            logs: logs, filter: KeyFilter(match: [], ignore: [], databases: [0]), lanes: 1,
            bell: Doorbell(on: MultiThreadedEventLoopGroup.singleton.next()),
            listeners: .init(hole: { _ in }, ignored: { _, _ in }, doubtful: { _ in }))
        dispatcher.update { $0.note(.oneMaster(at: address)) }
        dispatcher.lead(token: FencingToken(rawValue: 5), progress: [:], now: 0)
        let batch = try #require(await dispatcher.next(0, .slow))
        let first = try #require(batch.begin())
        dispatcher.finished(first, of: batch)
        let steps = dispatcher.steps(of: 1, in: log.process)
        #expect(steps.map(\.kind) == [.handedOut, .handled] && steps.allSatisfy { $0.token == 5 && $0.attempt == 1 })
        dispatcher.stopHandingOut()
    }

    @Test("what the ledger keeps is bounded, and the newest")
    func ledger() throws {
        let ledger = TraceLedger()
        for number in 1...10_000 as ClosedRange<UInt64> {
            ledger.failed(.failed, .some("k", number), String(repeating: "e", count: 1000), now: number)
            ledger.lost(Gap(node: "n", runID: "run", ordinals: number...number, repaired: 0), "cause", now: number)
            ledger.saw(.init(replica: "a", term: number), token: number)
        }
        let content = ledger.content
        #expect(content.failures.count == 4096 && content.failures.allSatisfy { $0.error.utf8.count <= 260 })
        #expect(Set(content.failures.map(\.ordinal)) == Set(5905...10_000))
        #expect(content.losses.count == 256 && content.losses.last?.first == 10_000)
        #expect(content.leaders.count == 64 && content.leaders[10_000]?.term == 10_000)
    }

    @Test(
        "what a term found says whose work is unknown",
        arguments: [(3, "finished"), (5, "begun"), (7, "unsaid")] as [(UInt64, String)])
    func found(ordinal: UInt64, word: String) throws {
        let ledger = TraceLedger()
        ledger.saw(.init(replica: "a", term: 1), token: 10)
        let progress = Progress(
            runID: "run", node: "n", base: 0, cursor: Cursor(through: 6, pending: [5]), token: 10, write: 1)
        ledger.began(term: 2, token: 11, id: "b", found: ["run": progress], now: 100)
        let content = ledger.content
        let found = try #require(content.terms.first).found(ordinal, in: "run", leaders: content.leaders)
        #expect(found.word == word && found.replica == "a" && found.leaderTerm == 1 && found.term == 2)
    }

    @Test(
        "a nonce becomes a part of a key's name, so it is letters and digits, and each account has one question",
        arguments: [
            "", "abc", "a.b.c", "a:b.1", "a}b.1", "a b.1", "ä.1", String(repeating: "a", count: 70) + ".1",
            "ab.q", "ab.2", "ab.11", ".1", "a.1.1", "a.1 ",
        ])
    func badNonces(nonce: String) {
        #expect(GroupMessage("trace:v1:\(nonce)") == nil)
    }

    @Test("a question and an answer survive their way, and nothing else is one")
    func wire() throws {
        #expect(GroupMessage("trace:v1:ab12p0.1") == .trace(nonce: "ab12p0.1"))
        let question = try #require(TraceQuestion(key: [0, 255, 58]))
        #expect(TraceQuestion(bytes: question.bytes) == question)
        #expect(TraceQuestion(bytes: Array("v2 key".utf8)) == nil)
        #expect(TraceQuestion(key: Array(repeating: 0, count: TraceQuestion.keyLimit + 1)) == nil)
        let answer = TraceAnswer.nothing("a")
        let json = try #require(answer.json)
        #expect(TraceAnswer(json: json)?.replica == "a")
        for cut in json.indices { #expect(TraceAnswer(json: Array(json[..<cut])) == nil) }
        #expect(TraceAnswer(json: Array(repeating: UInt8(ascii: "["), count: TraceAnswer.limitBytes)) == nil)
        #expect(TraceAnswer(json: Array(repeating: UInt8(ascii: " "), count: TraceAnswer.limitBytes + 1)) == nil)
    }
}

extension HandlingTrail {
    fileprivate func steps(of ordinal: UInt64, in process: NodeProcess) -> [Step] { steps(of: [(process, ordinal)])[0] }
}

extension Dispatcher {
    fileprivate func steps(of ordinal: UInt64, in process: NodeProcess) -> [HandlingTrail.Step] {
        steps(of: [(process, ordinal)])[0]
    }
}
