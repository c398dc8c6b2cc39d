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
        #expect(relay.isIdle)
    }

    @Test mutating func oneFollowerRepeatsForAll() {
        relay.heard(message(1), now: .seconds(0))
        for tick in 4..<30 {
            // Heard from another follower.
            relay.heard(message(1), now: .milliseconds(tick * 300))
            #expect(relay.due(now: .milliseconds(tick * 300 + 200)).isEmpty)
        }
    }

    @Test mutating func aLaterTermEndsIt() {
        relay.heard(message(9), now: .seconds(0))
        relay.heard(message(1, token: 8), now: .seconds(1))
        relay.heard(message(10), now: .seconds(1))
        #expect(relay.due(now: .seconds(3)) == [message(1, token: 8)])
    }
}
