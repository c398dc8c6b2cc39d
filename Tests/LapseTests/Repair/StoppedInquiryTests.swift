import Testing

@testable import Lapse

/// Row 8: a leader that is stopped within its lease while a question is open. The time for which it was
/// stopped is not one in which its peers kept silent.
struct StoppedInquiryTests {
    private let logs = LogSet(limitBytes: 1 << 20, limitAge: .seconds(60))

    private func inquiry(peers: Set<String>) -> RepairInquiry {
        RepairInquiry(Repairer.Hole(runID: "run", node: "10.0.0.1:6379", ordinals: 5...7), peers: peers)
    }

    private func done(_ replica: String) -> RepairAnswer { .done(replica: replica, processes: []) }

    /// Looks at it each 10 ms, in milliseconds; each question is put.
    @discardableResult
    private func run(_ inquiry: inout RepairInquiry, _ times: ClosedRange<Int>) -> [RepairInquiry.Step] {
        stride(from: times.lowerBound, through: times.upperBound, by: 10).map { time in
            let step = inquiry.next(now: .milliseconds(time), leads: true)
            if step == .ask { inquiry.asked(now: .milliseconds(time)) }
            return step
        }
    }

    private func goesOn(_ steps: [RepairInquiry.Step]) -> Bool { steps.allSatisfy { $0 == .ask || $0 == .wait } }

    @Test("it asks again when it goes on, and the peers have their whole time again", arguments: [500, 7_500])
    func theTimeOfAStopDoesNotCount(before: Int) {
        var inquiry = inquiry(peers: ["a"])
        run(&inquiry, 0...before)
        let steps = run(&inquiry, before + 10_000...before + 17_990)
        #expect(steps.first == .ask && goesOn(steps))
        let end = inquiry.next(now: .milliseconds(before + 18_000), leads: true)
        #expect(end == .over(.unanswered), "not for ever")
    }

    @Test("what was answered meanwhile is gone, and a peer answers a name once: it asks under another one")
    func anotherName() {
        var inquiry = inquiry(peers: ["a", "b"])
        run(&inquiry, 0...2_000)
        #expect(inquiry.round == 0, "one name while it is put all the time")
        inquiry.take(done("b"), into: logs, look: 0, now: 1)
        run(&inquiry, 12_000...13_000)
        #expect(inquiry.round == 1)
        inquiry.take(done("a"), into: logs, look: 0, now: 1)
        let end = inquiry.next(now: .milliseconds(13_010), leads: true)
        #expect(end == .over(.answered), "the one that had told all before need not tell it again")
    }

    @Test func aShortStopKeepsTheName() {
        var inquiry = inquiry(peers: ["a"])
        run(&inquiry, 0...7_500)
        let steps = run(&inquiry, 10_000...17_990)
        #expect(steps.first == .ask && goesOn(steps) && inquiry.round == 0)
    }

    @Test("so does one whose lease was away for as long: its answers were not renewed")
    func theLeaseWasAway() {
        var inquiry = inquiry(peers: ["a"])
        run(&inquiry, 0...500)
        for time in stride(from: 510, through: 12_000, by: 10) {
            let step = inquiry.next(now: .milliseconds(time), leads: false)
            #expect(step == .wait)
        }
        let steps = run(&inquiry, 12_010...12_500)
        #expect(steps.first == .ask && inquiry.round == 1)
    }

    @Test("one that was stopped while its question was sent does not know how old it is")
    func stoppedWhileItAsks() {
        var inquiry = inquiry(peers: ["a"])
        let first = inquiry.next(now: .zero, leads: true)
        inquiry.asked(now: .seconds(11))
        let again = inquiry.next(now: .seconds(11), leads: true)
        #expect(first == .ask && again == .ask && inquiry.round == 1)
    }

    @Test("a question that finds all answers on waking is over at once")
    func everyAnswerIsThere() {
        var inquiry = inquiry(peers: ["a"])
        run(&inquiry, 0...500)
        inquiry.take(done("a"), into: logs, look: 0, now: 1)
        let end = inquiry.next(now: .seconds(9), leads: true)
        #expect(end == .over(.answered))
    }

    @Test("where no peer was known before the stop, one may be there after it")
    func alone() {
        var inquiry = inquiry(peers: [])
        run(&inquiry, 0...900)
        let steps = run(&inquiry, 12_000...12_990)
        #expect(goesOn(steps))
        let end = inquiry.next(now: .seconds(13), leads: true)
        #expect(end == .over(.answered))
    }

    @Test("a server that answers each time late holds up the log for a while only; every long stop counts")
    func lateSteps() {
        var inquiry = inquiry(peers: ["a"])
        var now = Duration.zero
        while now < .seconds(60) {
            let step = inquiry.next(now: now, leads: true)
            if step == .over(.unanswered) { break }
            if step == .ask { inquiry.asked(now: now + .seconds(2)) }
            now += .seconds(2)
        }
        #expect(now > .seconds(16) && now < .seconds(40))
        var stopped = self.inquiry(peers: ["a"])
        for stop in 0..<20 {
            let steps = run(&stopped, stop * 20_000...stop * 20_000 + 4_000)
            #expect(steps.first == .ask && goesOn(steps) && stopped.round == stop)
        }
    }
}
