import RedisClient
import Testing

@testable import Lapse

/// When a leader's question is put, and when it ends; found by the simulation.
struct RepairInquiryTests {
    private let logs = LogSet(limitBytes: 1 << 20, limitAge: .seconds(60))

    private func inquiry(_ ordinals: ClosedRange<UInt64> = 5...7, peers: Set<String>) -> RepairInquiry {
        RepairInquiry(Repairer.Hole(runID: "run", node: "10.0.0.1:6379", ordinals: ordinals), peers: peers)
    }

    private func done(_ replica: String, _ processes: [HeardProcess] = []) -> RepairAnswer {
        .done(replica: replica, processes: processes)
    }

    /// What it does each 10 ms, from one time to another, in milliseconds.
    private func steps(_ inquiry: inout RepairInquiry, _ times: ClosedRange<Int>, leads: Bool = true) -> [(
        Int, RepairInquiry.Step
    )] {
        stride(from: times.lowerBound, through: times.upperBound, by: 10).map {
            ($0, inquiry.next(now: .milliseconds($0), leads: leads))
        }
    }

    @Test("row 115: where no peer is known the question is put all the same: one may not have told of itself yet")
    func noPeerIsKnown() {
        var alone = inquiry(peers: [])
        let first = alone.next(now: .zero, leads: true)
        alone.asked(now: .zero)
        let early = alone.next(now: .milliseconds(90), leads: true)
        let end = alone.next(now: .seconds(1), leads: true)
        #expect(first == .ask && early == .wait && end == .over(.answered))
        var joined = inquiry(peers: [])
        _ = joined.next(now: .zero, leads: true)
        joined.asked(now: .zero)
        joined.note(peers: ["b"])
        let waits = joined.next(now: .seconds(1), leads: true)
        joined.take(done("b"), into: logs, look: 0, now: 1)
        let answered = joined.next(now: .milliseconds(1_010), leads: true)
        #expect(waits == .ask && answered == .over(.answered))
    }

    @Test("a peer that has died is not waited for once it has dropped out of the members")
    func aPeerIsGone() {
        var inquiry = inquiry(peers: ["a", "b"])
        _ = inquiry.next(now: .zero, leads: true)
        inquiry.asked(now: .zero)
        inquiry.take(done("a"), into: logs, look: 0, now: 1)
        let before = inquiry.next(now: .milliseconds(90), leads: true)
        inquiry.note(peers: ["a"])
        let after = inquiry.next(now: .milliseconds(100), leads: true)
        #expect(before == .wait && after == .over(.answered))
    }

    @Test("a peer that goes on telling is waited for, up to a minute; one that falls silent is not")
    func aPeerThatGoesOnTelling() {
        var inquiry = inquiry(peers: ["a"])
        _ = inquiry.next(now: .zero, leads: true)
        inquiry.asked(now: .zero)
        for second in 1...59 {
            inquiry.take(.heard([]), into: logs, look: 0, now: 1)
            let step = inquiry.next(now: .seconds(second), leads: true)
            #expect(step == .ask || step == .wait)
        }
        var silent = inquiry
        let waits = (60...66).map { silent.next(now: .seconds($0), leads: true) }
        let end = silent.next(now: .seconds(67), leads: true)
        #expect(waits.allSatisfy { $0 == .ask || $0 == .wait } && end == .over(.unanswered))
        var steps: [RepairInquiry.Step] = []
        for second in 60...67 {
            inquiry.take(.heard([]), into: logs, look: 0, now: 1)
            steps.append(inquiry.next(now: .seconds(second), leads: true))
        }
        #expect(steps.last == .over(.unanswered), "nor for ever")
    }

    @Test("row 112: a peer that has more than one answer holds says how far it has told; the rest is another question")
    func windows() {
        logs.log(of: "run", at: NodeAddress(host: "10.0.0.1", port: 6379)).subscriptionEnded(now: 1)
        var inquiry = inquiry(1...100, peers: ["a", "b"])
        _ = inquiry.next(now: .zero, leads: true)
        inquiry.asked(now: .zero)
        inquiry.take(.more(replica: "a", through: 40), into: logs, look: 0, now: 1)
        inquiry.take(.more(replica: "b", through: 30), into: logs, look: 0, now: 1)
        let end = inquiry.next(now: .milliseconds(10), leads: true)
        #expect(end == .over(.cut(through: 30)))
        let hole = Repairer.Hole(runID: "run", node: "10.0.0.1:6379", ordinals: 1...100)
        #expect(hole.settled(by: .cut(through: 30)) == 1...30 && hole.settled(by: .answered) == 1...100)
    }

    @Test("whoever was not subscribed when it was put hears it again, ever more rarely")
    func theQuestionIsRepeated() {
        var inquiry = inquiry(peers: ["a", "b"])
        let first = inquiry.next(now: .zero, leads: true)
        #expect(first == .ask)
        inquiry.asked(now: .zero)
        inquiry.take(done("a"), into: logs, look: 0, now: 1)
        let steps = steps(&inquiry, 10...1990)
        #expect(steps.filter { $0.1 == .ask }.map(\.0) == [100, 300, 700, 1500])
        #expect(steps.allSatisfy { $0.1 == .ask || $0.1 == .wait })
        inquiry.take(done("b"), into: logs, look: 0, now: 1)
        let last = inquiry.next(now: .milliseconds(1990), leads: true)
        #expect(last == .over(.answered))
    }

    @Test func silenceEndsItAfterAWhile() {
        var inquiry = inquiry(peers: ["a"])
        _ = inquiry.next(now: .zero, leads: true)
        inquiry.asked(now: .zero)
        let before = steps(&inquiry, 10...7_990)
        let after = inquiry.next(now: .seconds(8), leads: true)
        #expect(before.allSatisfy { $0.1 == .ask || $0.1 == .wait } && after == .over(.unanswered))
    }

    @Test("a server that is away cannot pass the question on: the time begins when it can")
    func whatCannotBePutIsTriedAgain() {
        var inquiry = inquiry(peers: ["a"])
        let early = steps(&inquiry, 0...10_000)
        #expect(early.allSatisfy { $0.1 == .ask || $0.1 == .wait })
        #expect(early.count { $0.1 == .ask } > 5)
        inquiry.asked(now: .seconds(10))
        let late = steps(&inquiry, 10_010...17_990)
        let end = inquiry.next(now: .seconds(18), leads: true)
        #expect(late.allSatisfy { $0.1 == .ask || $0.1 == .wait } && end == .over(.unanswered))
        var never = self.inquiry(peers: ["a"])
        let tries = steps(&never, 0...29_990)
        let given = never.next(now: .seconds(30), leads: true)
        #expect(tries.allSatisfy { $0.1 == .ask || $0.1 == .wait })
        #expect(given == .over(.unanswered), "not for ever")
    }

    @Test func whatMayNotBePutIsOver() {
        var inquiry = inquiry(peers: ["a"])
        _ = inquiry.next(now: .zero, leads: true)
        inquiry.refused()
        let step = inquiry.next(now: .zero, leads: true)
        #expect(step == .over(.answered))
    }

    @Test("a leader that was stopped calls nothing lost on waking: it asks again once its lease is back, or never")
    func whoeverDoesNotLeadSaysNothing() {
        var inquiry = inquiry(peers: ["a"])
        _ = inquiry.next(now: .zero, leads: true)
        inquiry.asked(now: .zero)
        let stopped = steps(&inquiry, 3_000...3_100, leads: false)
        #expect(stopped.allSatisfy { $0.1 == .wait })
        let again = inquiry.next(now: .milliseconds(3_110), leads: true)
        #expect(again == .ask)
        inquiry.asked(now: .milliseconds(3_110))
        let late = inquiry.next(now: .milliseconds(5_000), leads: true)
        #expect(late != .over(.unanswered))
    }

    @Test func nothingLeftToAskForEndsIt() {
        logs.log(of: "run", at: NodeAddress(host: "10.0.0.1", port: 6379)).subscriptionEnded(now: 1)
        var inquiry = inquiry(5...6, peers: ["a", "b"])
        _ = inquiry.next(now: .zero, leads: true)
        inquiry.asked(now: .zero)
        let heard = (4...6).map {
            HeardExpiration(ordinal: $0, database: 0, receivedAt: 1_000, key: Array("k:\($0)".utf8))
        }
        inquiry.take(.heard(heard), into: logs, look: 0, now: 1_000)
        let step = inquiry.next(now: .milliseconds(10), leads: true)
        #expect(step == .over(.answered))
        #expect(logs["run"]?.entry(4) == nil, "nobody asked for it")
        #expect(logs["run"]?.entry(6)?.isRepaired == true)
    }

    @Test("a process that only a peer heard becomes known, and one's own logs stay as they are")
    func processesAreLearned() {
        let address = NodeAddress(host: "10.0.0.1", port: 6379)
        logs.log(of: "mine", at: address).subscriptionBegan()
        var inquiry = inquiry(peers: ["a"])
        inquiry.take(
            done("a", ["mine", "theirs"].map { HeardProcess(runID: $0, node: "\(address)") }), into: logs, look: 0,
            now: 1_000)
        #expect(logs["mine"]?.isSubscribed == true)
        #expect(logs["theirs"]?.isSubscribed == false)
        #expect(logs["theirs"]?.address == address)
        #expect(logs.all.count == 2)
    }
}
