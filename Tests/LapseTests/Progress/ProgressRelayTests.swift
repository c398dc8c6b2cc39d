import Testing

@testable import Lapse

/// Row 56: a replica that begins after the leader's crash hears what the registers refused.
struct ProgressRelayTests {
    private var relay = ProgressRelay(lease: .seconds(8))

    private func message(_ write: UInt64, token: UInt64 = 7, log: String = "run") -> SharedProgress {
        let entry = Progress(
            runID: log, node: "10.0.0.1:6379", base: 0, cursor: Cursor(through: write, pending: []), token: token,
            write: write)
        return SharedProgress(leader: "a", token: token, entries: [entry])
    }

    @Test mutating func aLeaderThatTellsIsNotRepeated() {
        for second in 0..<20 {
            relay.heard(message(UInt64(second)), now: .seconds(second))
            #expect(relay.due(now: .milliseconds(second * 1_000 + 900)).isEmpty)
        }
    }

    @Test("a silent leader's last telling, all of it, until its lease cannot stand any more")
    mutating func aSilentLeadersLastWord() {
        relay.heard(message(1), now: .seconds(1))
        relay.heard(message(2, log: "x"), now: .seconds(2))
        relay.heard(message(2, log: "y"), now: .seconds(2))
        // Late, by another feed.
        relay.heard(message(1), now: .seconds(2))
        var told: [Duration] = []
        for tick in 0..<80 {
            let now = Duration.seconds(2) + .milliseconds(250) * tick
            let due = relay.due(now: now)
            guard !due.isEmpty else { continue }
            #expect(due == [message(2, log: "x"), message(2, log: "y")])
            told.append(now)
        }
        #expect(told.first == .milliseconds(3_250) && told.last == .milliseconds(11_750))
    }

    @Test mutating func oneFollowerRepeatsForAll() {
        relay.heard(message(1), now: .seconds(0))
        for tick in 4..<30 {
            // Heard from another follower.
            relay.heard(message(1), now: .milliseconds(tick * 300))
            #expect(relay.due(now: .milliseconds(tick * 300 + 200)).isEmpty)
        }
    }

    @Test("a replica that begins is told at once, however often the others have heard it")
    mutating func oneThatBeginsAsks() {
        relay.wanted()
        #expect(relay.due(now: .zero).isEmpty)
        relay.heard(message(1), now: .seconds(1))
        // The leader may die before it tells again.
        relay.wanted()
        #expect(relay.due(now: .milliseconds(1_100)) == [message(1)])
        #expect(relay.due(now: .milliseconds(1_100)).isEmpty)
        // A second one: not more than twice a second, and not forgotten.
        relay.wanted()
        #expect(relay.due(now: .milliseconds(1_200)).isEmpty)
        #expect(relay.due(now: .milliseconds(1_600)) == [message(1)])
    }

    @Test mutating func anOldTellingIsNotRepeatedForOneThatBegins() {
        relay.heard(message(1), now: .zero)
        relay.wanted()
        #expect(relay.due(now: .seconds(11)).isEmpty)
        relay.wrote(message(1), .fenced)
        #expect(relay.isIdle)
    }

    @Test mutating func aLaterTermEndsIt() {
        relay.heard(message(9), now: .seconds(0))
        relay.heard(message(1, token: 8), now: .seconds(1))
        relay.heard(message(10), now: .seconds(1))
        #expect(relay.due(now: .seconds(3)) == [message(1, token: 8)])
    }

    @Test("the last telling of all is written in the leader's place, however late the registers take it")
    mutating func itIsWrittenInTheLeadersPlace() {
        relay.heard(message(1), now: .zero)
        relay.heard(message(2, log: "x"), now: .seconds(1))
        relay.heard(message(2, log: "y"), now: .seconds(1))
        // The leader, if it lives, tells more by then.
        #expect(relay.dueToWrite(now: .milliseconds(1_200)).isEmpty)
        let all = [message(2, log: "x"), message(2, log: "y")]
        #expect(relay.dueToWrite(now: .milliseconds(1_250)) == all)
        #expect(relay.dueToWrite(now: .milliseconds(1_400)).isEmpty)
        #expect(relay.dueToWrite(now: .milliseconds(1_500)) == all)
        for message in all { relay.wrote(message, .failed) }
        // No lease depends on it any more.
        #expect(relay.due(now: .seconds(60)).isEmpty)
        #expect(relay.dueToWrite(now: .seconds(60)) == all && !relay.isIdle)
        #expect(relay.dueToWrite(now: .milliseconds(60_900)).isEmpty)
        relay.wrote(all[0], .written)
        #expect(relay.dueToWrite(now: .seconds(61)) == [all[1]])
        relay.wrote(all[1], .fenced)
        #expect(relay.dueToWrite(now: .seconds(63)).isEmpty && relay.isIdle)
    }

    @Test mutating func whatHasBeenWrittenIsNotWrittenAgainForBeingRepeated() {
        relay.heard(message(1), now: .zero)
        #expect(relay.dueToWrite(now: .seconds(1)) == [message(1)])
        relay.wrote(message(1), .written)
        relay.heard(message(1), now: .seconds(2))
        #expect(relay.dueToWrite(now: .seconds(3)).isEmpty)
        relay.heard(message(1, token: 8), now: .seconds(3))
        #expect(relay.dueToWrite(now: .seconds(4)) == [message(1, token: 8)])
    }
}
