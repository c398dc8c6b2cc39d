import NIOCore
import RESP
import RedisClient
import Testing

@testable import Lapse

/// What a peer can tell, and when it cannot tell yet; found by the simulation.
struct RepairReplyTests {
    private let logs = LogSet(limitBytes: 1 << 20, limitAge: .seconds(60))
    private let old = NodeAddress(host: "10.0.0.1", port: 6379)
    private let new = NodeAddress(host: "10.0.0.2", port: 6379)
    private var log: NodeLog { logs.log(of: "run", at: old) }

    private func hear(_ keys: String...) {
        var bytes = ByteBuffer()
        for key in keys { RESPCommand("message", EventChannel.name(0), key).encode(into: &bytes) }
        receive(bytes)
    }

    private func mark(_ counter: UInt64) {
        var bytes = ByteBuffer()
        RESPCommand("message", "lapse:test", "nonce").encode(into: &bytes)
        receive(bytes)
        _ = log.resolve(counter: counter)
    }

    private func receive(_ bytes: ByteBuffer) {
        var reader = ReplyReader()
        try? reader.read(bytes) { batch in
            _ = log.take(batch, now: 1_000, look: 1) { _ in log.pinMark() }
        }
    }

    /// What the servers show, look by look: which of them is the master.
    private func ownership(_ masters: NodeAddress...) -> (NodeAddress) -> SlotOwnership.OfNode {
        var ownership = SlotOwnership()
        for (number, master) in masters.enumerated() {
            let nodes = [old, new].map {
                Topology.Node(id: "\($0)", address: $0, role: $0 == master ? .master : .replica)
            }
            ownership.note(
                TopologyPoll(topology: Topology(mode: .sentinel, nodes: nodes), ownWord: [:], number: number))
        }
        return { [ownership] in ownership.seen(from: $0) }
    }

    private func reply(_ ordinals: ClosedRange<UInt64> = 1...9) -> RepairReply {
        RepairReply(to: RepairRequest(nonce: "1", asker: "leader", runID: "run", ordinals: ordinals), from: "peer")
    }

    private let done = RepairReply.Step.tell(
        .done(replica: "peer", processes: [HeardProcess(runID: "run", node: "10.0.0.1:6379")]))

    private func told(_ step: RepairReply.Step) -> [HeardExpiration] {
        if case .tell(.heard(let heard)) = step { heard } else { [] }
    }

    @Test func whatWasHeardIsToldAndThenThatThereIsNoMore() {
        log.subscriptionBegan()
        hear("a", "b")
        mark(2)
        var reply = reply(2...2)
        let steps = (0..<3).map { _ in reply.next(from: logs, ownership(old)) }
        #expect(told(steps[0]).map(\.ordinal) == [2])
        #expect(steps[1...] == [done, .over])
    }

    @Test("a slow connection still brings what was announced before: the peer must not say that it has none")
    func thePeerWaitsForItsConnection() {
        log.subscriptionBegan()
        mark(0)
        hear("a")
        var reply = reply(1...2)
        let first = reply.next(from: logs, ownership(old))
        #expect(told(first).map(\.ordinal) == [1])
        let steps = (0..<10).map { _ in reply.next(from: logs, ownership(old)) }
        #expect(steps == Array(repeating: .wait, count: 9) + [.tell(.heard([]))], "a sign of life each second")
        hear("b")
        let last = (0..<3).map { _ in reply.next(from: logs, ownership(old)) }
        #expect(told(last[0]).map(\.ordinal) == [2])
        #expect(last[1...] == [done, .over])
    }

    @Test func whatADeadConnectionWasToBringIsNotWaitedFor() {
        log.subscriptionBegan()
        mark(0)
        hear("a")
        log.subscriptionEnded(now: 1_000)
        var reply = reply(2...2)
        #expect(reply.next(from: logs, ownership(old)) == done)
    }

    @Test func aQuestionWithoutAnEndIsAnsweredWithWhatIsThere() {
        log.subscriptionBegan()
        mark(0)
        hear("a")
        var reply = reply(2...1 + RepairRequest.openEnd)
        #expect(reply.next(from: logs, ownership(old)) == done)
    }

    @Test("before its first mark a subscription's expirations have no numbers: the peer must not say that it has none")
    func thePeerWaitsForItsMark() {
        log.subscriptionBegan()
        hear("a", "b")
        var reply = reply()
        let first = reply.next(from: logs, ownership(old))
        #expect(first == .wait)
        mark(5)
        let second = reply.next(from: logs, ownership(old))
        #expect(told(second).map(\.ordinal) == [4, 5])
    }

    @Test("seed 2962: what the server has begun to announce to a subscription may be long on its way")
    func thePeerWaitsForItsMarkThoughNothingHasComeYet() {
        log.subscriptionBegan()
        var reply = reply()
        let first = reply.next(from: logs, ownership(old))
        #expect(first == .wait)
        hear("a", "b")
        mark(5)
        let second = reply.next(from: logs, ownership(old))
        #expect(told(second).map(\.ordinal) == [4, 5])
    }

    @Test func oneThatNeverGetsItsMarkDoesNotWaitForEver() {
        log.subscriptionBegan()
        hear("a")
        var reply = reply()
        let steps = (0..<80).map { _ in reply.next(from: logs, ownership(old)) }
        #expect(steps.contains(done) && steps.last == .over)
    }

    @Test func aSubscriptionThatEndedUnmarkedHasNothing() {
        log.subscriptionBegan()
        hear("a")
        log.subscriptionEnded(now: 1_000)
        var reply = reply()
        let step = reply.next(from: logs, ownership(old))
        #expect(step == .tell(.done(replica: "peer", processes: [])))
    }

    @Test("what came before a silence is told at once, what came after it once the node's role is known")
    func thePeerWaitsForTheEndOfADoubt() {
        log.subscriptionBegan()
        mark(0)
        hear("a")
        log.doubt()
        hear("b")
        var reply = reply()
        let steps = (0..<2).map { _ in reply.next(from: logs, ownership(old)) }
        #expect(told(steps[0]).map(\.ordinal) == [1])
        #expect(steps[1] == .wait)
        log.decide(look: 1)
        let after = reply.next(from: logs, ownership(old))
        #expect(told(after).map(\.ordinal) == [2])
        #expect(told(after).map(\.standing) == [.owned])
    }

    @Test("whether the node owned the slot then is told by whoever was there")
    func provenanceTravels() throws {
        log.subscriptionBegan()
        mark(0)
        hear("as a master")
        log.doubt()
        hear("again, when it was deposed")
        log.decide(look: 1)
        var reply = reply()
        let heard = told(reply.next(from: logs, ownership(old, new)))
        #expect(heard.map(\.standing) == [.owned, .disowned])
        let leader = NodeLog(runID: "run", address: old, limitBytes: 1 << 20, limitAge: .seconds(60))
        let undecided = HeardExpiration(ordinal: 3, database: 0, receivedAt: 1_000, key: [1])
        #expect(leader.insert(heard + [undecided], look: 5, now: 1_000) == 3)
        let provenances = try (1...3).map { try #require(leader.entry($0)).provenance }
        // One leader remembers the node as the master of a moment ago, another never knew it as one.
        let (witness, newcomer) = (ownership(old, new)(old), ownership(new, new, new, new, new, new)(old))
        #expect(provenances.map { witness.verdict(slot: 0, $0) } == [.counts, .ignored, .counts])
        #expect(provenances.map { newcomer.verdict(slot: 0, $0) } == [.counts, .ignored, .unknown])
        // And they say the same when they are asked themselves.
        let onward = leader.heard(in: 1...3, bytes: 1 << 20, newcomer)
        #expect(onward.expirations.map(\.standing) == [.owned, .disowned, .unknown])
    }

    @Test("row 112: more than a window is told window by window, and where each ended")
    func windows() {
        log.subscriptionBegan()
        for number in 1...9 { hear("key:\(number)") }
        mark(9)
        var limits = RepairReply.Limits()
        limits.pieceBytes = 30
        limits.windowBytes = 90
        var from: UInt64 = 1
        var told: [UInt64] = []
        var windows = 0
        asking: while windows < 10 {
            windows += 1
            let request = RepairRequest(nonce: "a.\(windows)", asker: "leader", runID: "run", ordinals: from...9)
            var reply = RepairReply(to: request, from: "peer", limits: limits)
            while true {
                switch reply.next(from: logs, ownership(old)) {
                case .tell(.heard(let heard)): told += heard.map(\.ordinal)
                case .tell(.more(_, let through)):
                    #expect(through == told.last)
                    from = through + 1
                    continue asking
                case .tell(.done): break asking
                default: Issue.record("neither an answer nor the end")
                }
            }
        }
        #expect(told == Array(1...9) && windows > 1)
    }

    @Test("row 115: a peer whose numbers may change at its next mark tells nothing before it")
    func provisionalNumbers() {
        log.subscriptionBegan()
        hear("a")
        mark(1)
        log.adopt(base: 5)
        var reply = reply()
        let first = reply.next(from: logs, ownership(old))
        #expect(first == .wait)
        hear("b")
        mark(2)
        let second = reply.next(from: logs, ownership(old))
        #expect(told(second).map(\.ordinal) == [6, 7])
    }
}
