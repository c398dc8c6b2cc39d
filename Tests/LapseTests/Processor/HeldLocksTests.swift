import Testing

@testable import Lapse

/// Row 81: what is known of an own lock that its register holds no more, while the term goes on.
struct HeldLocksTests {
    private let lock = "{lapse-0}:default:lock"
    private var held = HeldLocks()

    private func grant(_ value: String = "a:1", at askedAt: Int) -> HeldLocks.Grant {
        .init(value: value, ttl: .seconds(2), askedAt: .seconds(askedAt), announced: ["r": UInt64(askedAt)])
    }

    private mutating func gone(_ value: String = "a:1", at milliseconds: Int) {
        held.gone(lock, value, through: ["r": 99], now: .milliseconds(milliseconds))
    }

    /// When it ran out, by the register's word that it is free.
    private mutating func lapse(of runID: String = "r", at milliseconds: Int) -> HeldLocks.Grant? {
        held.looked(lock, holder: "", runID: runID, through: ["r": 99], now: .milliseconds(milliseconds))?.grant
    }

    @Test mutating func oneThatIsGoneAfterItsTimeHasRunOut() {
        held.granted(lock, grant(at: 1))
        held.granted(lock, grant(at: 3))
        held.granted(lock, grant(at: 2))
        gone(at: 5_000)
        #expect(held.suspects(now: .seconds(5)) == [lock])
        #expect(lapse(at: 5_000) == grant(at: 3), "the last one counts")
        #expect(lapse(at: 6_000) == nil, "once")
        held.granted(lock, grant(at: 6))
        gone(at: 9_000)
        held.granted(lock, grant(at: 9))
        #expect(lapse(at: 9_100) == grant(at: 6), "it was taken again meanwhile")
    }

    @Test("what a hole asks before the next renewal: the register still holds it, or not")
    mutating func askedForAHole() {
        held.granted(lock, grant(at: 1))
        #expect(held.suspects(now: .milliseconds(2_999)).isEmpty)
        #expect(held.suspects(now: .seconds(3)) == [lock])
        let isHeld = held.looked(lock, holder: "a:1", runID: "r", through: [:], now: .seconds(3))
        #expect(isHeld == nil, "the answer to a renewal was lost")
        #expect(lapse(at: 3_000) == grant(at: 1))
    }

    @Test mutating func oneThatIsGoneBeforeItsTimeWasDeleted() {
        held.granted(lock, grant(at: 1))
        gone(at: 2_999)
        #expect(lapse(at: 9_000) == nil && held.suspects(now: .seconds(9)).isEmpty)
    }

    @Test mutating func anotherProcessHasNotCountedIt() {
        held.granted(lock, grant(at: 1))
        gone(at: 5_000)
        #expect(lapse(of: "restarted", at: 5_000) == nil)
    }

    @Test mutating func anotherClaimsEndSaysNothing() {
        held.granted(lock, grant(at: 1))
        gone("a:0", at: 9_000)
        held.givesBack(lock, "a:0")
        #expect(lapse(at: 9_000) != nil, "it is still the other one")
        held.granted(lock, grant(at: 9))
        held.givesBack(lock, "a:1")
        gone(at: 19_000)
        #expect(lapse(at: 19_000) == nil, "it was given back")
    }

    @Test("the next term knows of it by what this one has left beside the lock")
    mutating func anotherTermsIsNotCountedTwice() {
        held.granted(lock, grant(at: 1))
        gone(at: 5_000)
        held.begins("a:2")
        #expect(held.suspects(now: .seconds(9)).isEmpty && lapse(at: 9_000) == nil)
    }

    @Test mutating func oneWhoseEndWasHeardIsInALog() {
        held.granted(lock, grant(at: 1))
        held.heard(lock, isOwn: true, now: .seconds(3))
        gone(at: 4_000)
        #expect(lapse(at: 4_000) == nil, "before it was known to be gone")
        held.granted(lock, grant(at: 4))
        gone(at: 9_000)
        held.heard(lock, isOwn: false, now: .seconds(9))
        held.heard(lock, isOwn: true, now: .seconds(9))
        #expect(lapse(at: 9_000) == nil, "or after that")
        held.granted(lock, grant(at: 10))
        gone(at: 12_000)
        #expect(lapse(at: 12_000) == grant(at: 10), "those were earlier ends")
    }
}
