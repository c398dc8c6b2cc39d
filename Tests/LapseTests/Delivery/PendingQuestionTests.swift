import LeaderElection
import RedisClient
import Testing

@testable import Lapse

/// What a leader asks for of which the last one left pending, and this replica has nothing.
struct PendingQuestionTests {
    private let logs = LogSet(limitBytes: 1 << 20, limitAge: .seconds(60))
    private let node = NodeAddress(host: "10.0.0.1", port: 6379)
    private let everySecond = PendingOrdinals(stride(from: 1 as UInt64, through: 199, by: 2))

    private func machine(_ cursor: Cursor) -> DeliveryMachine {
        var machine = DeliveryMachine(
            logs: logs, filter: KeyFilter(match: ["k:*"], ignore: [], databases: [0]), lanes: 1)
        machine.note(.oneMaster(at: node))
        let progress = Progress(runID: "run", node: "\(node)", base: 0, cursor: cursor, token: 1, write: 1)
        machine.begin(token: FencingToken(rawValue: 7), progress: ["run": progress], now: 1_000)
        return machine
    }

    private func heard(_ ordinals: ClosedRange<UInt64>) -> [HeardExpiration] {
        ordinals.map { HeardExpiration(ordinal: $0, database: 0, receivedAt: 1_000, key: Array("k:\($0)".utf8)) }
    }

    /// How a question ends that no peer is there to answer.
    private func end(of hole: Repairer.Hole, _ now: inout Duration) -> RepairInquiry.End {
        var inquiry = RepairInquiry(hole, peers: [])
        while true {
            switch inquiry.next(now: now, leads: true) {
            case .ask: inquiry.asked(now: now)
            case .wait: now += .milliseconds(10)
            case .over(let end): return end
            }
        }
    }

    @Test("many pending ones between finished ones are one question: a replica that is alone goes on after a second")
    func manyAreOneQuestion() throws {
        let log = logs.log(of: "run", at: node)
        log.subscriptionBegan()
        try log.hear("lapse:test", "nonce")
        _ = log.resolve(counter: 199)
        try log.hear(EventChannel.name(0), "k:200")
        var machine = machine(Cursor(through: 199, pending: everySecond))
        var now = Duration.zero
        var holes: [Repairer.Hole] = []
        var lost: [UInt64?] = []
        var taken: [UInt64] = []
        while taken.isEmpty, now < .seconds(2) {
            taken = machine.take(1).map(\.ordinal)
            for hole in machine.takeActions().holes {
                #expect(machine.backlog() == ["run": 101] && machine.oldest() == ["run": 1_000], "while it waits")
                holes.append(hole)
                let end = end(of: hole, &now)
                lost.append(machine.settle(hole, end))
            }
        }
        #expect(taken == [200] && now < .seconds(2))
        #expect(holes.map(\.ordinals) == [1...199])
        #expect(lost == [100], "what lies between was finished")
        let account = try #require(machine.accounts().first?.account)
        #expect(account.announced == 101 && account.lost == 100 && account.pending == 1 && account.imbalance == 0)
    }

    @Test("of the answers only what is pending is taken, and only that is missing where an answer is cut")
    func onlyPendingOnesAreTaken() throws {
        var machine = machine(Cursor(through: 199, pending: everySecond))
        let none = machine.take(1)
        let first = try #require(machine.takeActions().holes.first)
        #expect(none.isEmpty && first.ordinals == 1...199 && first.count(in: 1...100) == 50)
        var inquiry = RepairInquiry(first, peers: ["b"])
        _ = inquiry.next(now: .zero, leads: true)
        inquiry.asked(now: .zero)
        inquiry.take(.heard(heard(1...98)), into: logs, look: 0, now: 1_000)
        inquiry.take(.more(replica: "b", through: 100), into: logs, look: 0, now: 1_000)
        let cut = inquiry.next(now: .milliseconds(10), leads: true)
        #expect(cut == .over(.cut(through: 100)))
        #expect(logs["run"]?.entry(1) != nil && logs["run"]?.entry(2) == nil)
        let lost = machine.settle(first, .cut(through: 100))
        #expect(lost == 1, "99")
        _ = machine.take(1)
        let second = try #require(machine.takeActions().holes.first)
        #expect(second.ordinals == 101...199)
        var rest = RepairInquiry(second, peers: ["b", "c"])
        _ = rest.next(now: .zero, leads: true)
        rest.asked(now: .zero)
        rest.take(.heard(heard(101...199)), into: logs, look: 0, now: 1_000)
        let full = rest.next(now: .milliseconds(10), leads: true)
        #expect(full == .over(.answered), "the other need not be waited for")
        let noneLost = machine.settle(second, .answered)
        let delivery = machine.take(1)
        #expect(noneLost == 0 && delivery.map(\.ordinal) == [1])
        let account = try #require(machine.accounts().first?.account)
        #expect(account.announced == 100 && account.lost == 1 && account.imbalance == 0)
    }

    @Test("a question for pending ones never becomes one for all that lies behind")
    func aQuestionHasBounds() throws {
        let last: UInt64 = 1 << 40
        var machine = machine(Cursor(through: last, pending: [1, last]))
        _ = machine.take(1)
        let first = try #require(machine.takeActions().holes.first)
        let lost = machine.settle(first, .answered)
        _ = machine.take(1)
        let second = try #require(machine.takeActions().holes.first)
        #expect(first.ordinals == 1...1 && lost == 1)
        #expect(second.ordinals == last...last)
    }
}
