import LeaderElection
import NIOCore
import RESP
import RedisClient
import Testing

@testable import Lapse

/// What a leader asks its peers for, found by the simulation.
struct DeliveryReadingTests {
    private let logs = LogSet(limitBytes: 1 << 20, limitAge: .seconds(60))
    private let node = NodeAddress(host: "10.0.0.1", port: 6379)

    private func machine(
        _ progress: [Progress] = [], token: UInt64 = 7, bounds: WaitingRoom.Bounds = .init()
    ) -> DeliveryMachine {
        var machine = DeliveryMachine(
            logs: logs, filter: KeyFilter(match: ["k:*"], ignore: [], databases: [0]), lanes: 1, bounds: bounds)
        let master = Topology.Node(id: "m", address: node, role: .master)
        machine.note(TopologyPoll(topology: Topology(mode: .standalone, nodes: [master]), ownWord: [:], number: 0))
        machine.begin(
            token: FencingToken(rawValue: token),
            progress: Dictionary(uniqueKeysWithValues: progress.map { ($0.runID, $0) }), now: 1_000)
        return machine
    }

    private func heard(_ ordinal: UInt64, _ key: String) -> HeardExpiration {
        HeardExpiration(ordinal: ordinal, database: 0, receivedAt: 1_000, key: Array(key.utf8))
    }

    @Test func whatThePredecessorLeftOfAProcessNeverHeardIsAskedFor() throws {
        var machine = machine([
            Progress(
                runID: "gone", node: "10.0.0.1:6379", base: 0, cursor: Cursor(through: 5, pending: [3]), token: 1,
                write: 1)
        ])
        let none = machine.take(1)
        #expect(none.isEmpty)
        let hole = try #require(machine.takeActions().holes.first)
        #expect(hole.runID == "gone" && hole.ordinals == 3...3 && hole.survey == nil)
        _ = logs["gone"]?.insert([heard(3, "k:3")], look: 0, now: 1_000)
        let isFilled = machine.settle(hole, .answered) != nil
        #expect(isFilled)
        let delivery = machine.take(1)
        #expect(delivery.map(\.ordinal) == [3])
        // And what lay behind its end: whether there was anything is not known.
        _ = machine.take(1)
        let survey = try #require(machine.takeActions().holes.first)
        #expect(survey.survey == .meanwhile && survey.ordinals.lowerBound == 6)
        _ = logs["gone"]?.insert([heard(6, "k:6")], look: 0, now: 1_000)
        _ = machine.settle(survey, .answered)
        let behind = machine.take(1)
        #expect(behind.map(\.ordinal) == [6])
    }

    @Test func theOldestIsTheFirstThatIsNotFinished() throws {
        var machine = machine([
            Progress(
                runID: "r", node: "10.0.0.1:6379", base: 0, cursor: Cursor(through: 5, pending: [3]), token: 1, write: 1
            )
        ])
        _ = machine.take(1)
        #expect(machine.oldest() == [:])
        let hole = try #require(machine.takeActions().holes.first)
        for (ordinal, at) in [(3, 900), (6, 1_000), (7, 1_100)] as [(UInt64, UInt64)] {
            var one = heard(ordinal, "k:\(ordinal)")
            one.receivedAt = at
            _ = logs["r"]?.insert([one], look: 0, now: at)
        }
        _ = machine.settle(hole, .answered)
        let taken = machine.take(1)
        #expect(taken.map(\.ordinal) == [3] && machine.oldest() == ["r": 900])
    }

    /// Seed 76496 of the simulation: the answer came after the log's age.
    @Test func whatLiesBehindAHoleDoesNotAgeWhilePeersAreAsked() throws {
        var machine = machine([
            Progress(runID: "r", node: "10.0.0.1:6379", base: 0, cursor: Cursor(through: 2), token: 1, write: 1)
        ])
        // A log that came with what a peer told, after the term had begun.
        let log = logs.log(of: "r", at: node)
        log.follow(false)
        _ = log.insert([heard(4, "k:4")], look: 0, now: 1_000)
        let none = machine.take(1)
        #expect(none.isEmpty)
        let hole = try #require(machine.takeActions().holes.first)
        #expect(hole.ordinals == 3...3)
        log.trimAged(now: 100_000)
        #expect(log.entry(4) != nil)
        // No peer has it: what came behind is handled all the same.
        _ = machine.settle(hole, .answered)
        let behind = machine.take(1)
        #expect(behind.map(\.ordinal) == [4])
    }

    /// What a leader asks about a process that is gone, each time all it may.
    private func survey(_ machine: inout DeliveryMachine) -> Repairer.Hole? {
        _ = machine.take(1)
        return machine.takeActions().holes.first { $0.survey == .behind }
    }

    @Test("peers that keep silent are asked again, but not for ever; a peer that comes back is asked as well")
    func surveysAreRepeated() throws {
        var machine = machine([
            Progress(
                runID: "gone", node: "10.0.0.1:6379", base: 0, cursor: Cursor(through: 5), token: 1, write: 1)
        ])
        logs.log(of: "present", at: node).hear([])
        machine.note(peers: ["a", "b"])
        for _ in 0..<10 {
            let hole = try #require(survey(&machine))
            _ = machine.settle(hole, .unanswered)
        }
        let eleventh = survey(&machine)
        #expect(eleventh == nil)
        machine.note(peers: ["a"])
        let fewer = survey(&machine)
        #expect(fewer == nil)
        machine.note(peers: ["a", "c"])
        let other = try #require(survey(&machine))
        _ = machine.settle(other, .answered)
        let enough = survey(&machine)
        #expect(enough == nil)
    }

    @Test("a process that this replica cannot hear is asked for while it lives, and once more when it is gone")
    func aProcessThatOnlyPeersHear() throws {
        var machine = machine([
            Progress(
                runID: "gone", node: "10.0.0.1:6379", base: 0, cursor: Cursor(through: 5), token: 1, write: 1)
        ])
        _ = machine.take(1)
        let meanwhile = try #require(machine.takeActions().holes.first)
        #expect(meanwhile.survey == .meanwhile && meanwhile.ordinals.lowerBound == 6)
        _ = machine.settle(meanwhile, .answered)
        let none = survey(&machine)
        #expect(none == nil)
        logs.log(of: "present", at: node).hear([])
        let behind = survey(&machine)
        #expect(behind?.ordinals.lowerBound == 6)
    }

    @Test("a process that came and went unheard is asked for once a peer has told of it")
    func whatOnlyFollowersHeard() throws {
        logs.log(of: "present", at: node).hear([])
        var machine = machine()
        _ = machine.take(1)
        logs.learn(of: [HeardProcess(runID: "between", node: "\(node)")], now: 1_000)
        let none = machine.take(1)
        let survey = try #require(machine.takeActions().holes.first { $0.runID == "between" })
        #expect(none.isEmpty && survey.survey == .before)
        _ = logs["between"]?.insert([heard(4, "k:4"), heard(5, "k:5")], look: 0, now: 1_000)
        _ = machine.settle(survey, .answered)
        let delivery = Array(machine.take(1)) + Array(machine.take(1))
        #expect(delivery.map(\.ordinal) == [4, 5])
    }

    @Test("what a peer has found to be a deposed master's is passed over, and is no loss")
    func disowned() throws {
        let log = logs.log(of: "gone", at: node)
        _ = log.insert(
            [HeardExpiration(ordinal: 6, database: 0, receivedAt: 1_000, standing: .disowned, key: Array("k:6".utf8))],
            look: 0, now: 1_000)
        var machine = machine([
            Progress(
                runID: "gone", node: "10.0.0.1:6379", base: 0, cursor: Cursor(through: 5), token: 1, write: 1)
        ])
        let none = machine.take(1)
        #expect(none.isEmpty)
        #expect(machine.takeActions().ignored == [node: 1])
    }

    @Test func theAnswerToAFormerTermIsNotThisTerms() throws {
        let progress = Progress(
            runID: "gone", node: "10.0.0.1:6379", base: 0, cursor: Cursor(through: 5, pending: [3]), token: 1,
            write: 1)
        var former = machine([progress], token: 7)
        _ = former.take(1)
        let old = try #require(former.takeActions().holes.first)
        var present = machine([progress], token: 8)
        _ = present.take(1)
        let new = try #require(present.takeActions().holes.first)
        let isFilledByOld = present.settle(old, .answered) != nil
        let isFilledByNew = present.settle(new, .answered) != nil
        #expect(!isFilledByOld && isFilledByNew)
    }

    @Test("row 54: a log is read past a key that never ends, and past more stuck ones than may be ready at once")
    func stuckKeysAreReadPast() throws {
        let log = logs.log(of: "run", at: node)
        log.hear(
            Array(repeating: "k:hot", count: 3000) + (0..<3000).map { "k:stuck:\($0)" }
                + (0..<20).map { "k:other:\($0)" })
        var machine = machine()
        var others = 0
        var stuck = 0
        for _ in 0..<10_000 {
            let deliveries = machine.take(Batch.limit)
            if deliveries.isEmpty { break }
            for delivery in deliveries {
                switch "\(delivery.key)" {
                case "k:hot": break
                case let key where key.hasPrefix("k:stuck"):
                    machine.postpone(delivery, to: .seconds(1))
                    stuck += 1
                default:
                    machine.finish(delivery)
                    others += 1
                }
            }
        }
        #expect(others == 20 && stuck == 3000)
        let account = try #require(machine.accounts().first?.account)
        // One runs, and so many may wait behind it.
        #expect(account.lost == 3000 - 1 - UInt64(WaitingRoom.Bounds().perKey))
        #expect(account.imbalance == 0)
        let told = machine.takeActions().surplus
        #expect(told.count == Int(account.lost) && told.allSatisfy { "\($0.key)" == "k:hot" })
    }

    @Test("a key's surplus within one stretch of a log is lost and counted, and nothing stays pending for it")
    func surplusOfOneStretch() throws {
        let log = logs.log(of: "run", at: node)
        log.hear((0..<300).map { $0 % 3 == 0 ? "unwanted" : "k:hot" })
        var machine = machine(bounds: .init(perKey: 2, entries: 3))
        var handled: [UInt64] = []
        while true {
            let deliveries = machine.take(Batch.limit)
            if deliveries.isEmpty { break }
            for delivery in deliveries {
                handled.append(delivery.ordinal)
                machine.finish(delivery)
            }
        }
        #expect(handled == [2, 299, 300])
        let account = try #require(machine.accounts().first?.account)
        #expect(account.handled == 3 && account.ignored == 100 && account.lost == 197 && account.pending == 0)
        #expect(account.imbalance == 0)
        #expect(machine.cursor("run") == Cursor(through: 300))
    }

    @Test func aPendingNumberOfAnUnwantedKeyIsPassedOver() throws {
        let log = logs.log(of: "gone", at: node)
        _ = log.insert([heard(3, "{lapse-12}:x:lock")], look: 0, now: 1_000)
        var machine = machine([
            Progress(
                runID: "gone", node: "10.0.0.1:6379", base: 0, cursor: Cursor(through: 5, pending: [3]), token: 1,
                write: 1)
        ])
        let none = machine.take(1)
        let news = machine.takeActions()
        #expect(none.isEmpty)
        #expect(news.ignored == [node: 1])
        #expect(machine.cursor("gone")?.pending.isEmpty == true)
    }

    /// A peer that noticed earlier has other expirations under these numbers, which are handled here under
    /// theirs.
    @Test func peersAreNotAskedForWhatTheNodeNeverAnnounced() throws {
        let log = logs.log(of: "run", at: node)
        log.subscriptionBegan()
        try log.hear("lapse:test", "nonce")
        _ = log.resolve(counter: 0)
        var machine = machine()
        try log.hear(EventChannel.name(0), "k:1")
        try log.hear("lapse:test", "nonce")
        _ = log.resolve(counter: 4)
        let delivery = machine.take(4)
        #expect(delivery.map(\.ordinal) == [1])
        let nothing = machine.take(4)
        #expect(nothing.isEmpty)
        let hole = try #require(machine.takeActions().holes.first)
        #expect(hole.ordinals == 2...4 && hole.isUnannounced)
        var inquiry = RepairInquiry(hole, peers: ["b", "c"])
        let step = inquiry.next(now: .seconds(1), leads: true)
        #expect(step == .over(.answered))
        let lost = machine.settle(hole, .answered)
        #expect(lost == 3)
    }

    /// The last leader had counted five forged messages that this replica was not there to hear.
    @Test func nothingIsTakenUpBeforeItIsKnownHowTheLastLeaderNumbered() throws {
        let log = logs.log(of: "run", at: node)
        log.subscriptionBegan()
        try log.hear("lapse:test", "nonce")
        _ = log.resolve(counter: 100)
        try log.hear(EventChannel.name(0), "k:1")
        var machine = machine([
            Progress(runID: "run", node: "10.0.0.1:6379", base: 5, cursor: Cursor(through: 105), token: 1, write: 1)
        ])
        let early = machine.take(1)
        #expect(early.isEmpty)
        try log.hear("lapse:test", "nonce")
        let finding = log.resolve(counter: 101)
        #expect(finding == .renumbered(after: 100, by: 5))
        let delivery = machine.take(1)
        #expect(delivery.map(\.ordinal) == [106] && delivery.map(\.key) == [ExpirationKey("k:1")])
    }
}
