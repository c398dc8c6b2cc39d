import LeaderElection
import RESP
import Synchronization
import Testing

@testable import Lapse

/// What a node counts without an event lies where a mark stands that all replicas hear.
struct NumberingClaimsTests {
    /// A replica's log, and what it heard by the names that the truth gives.
    private struct Listener {
        var heard = HeardLog()
        var isSubscribed = false

        mutating func mark(_ counter: UInt64, isOwn: Bool) -> Numbering.Finding? {
            if isOwn { heard.log.pinMark() }
            _ = heard.log.heard(HeardMark(runID: "run", counter: counter, nonce: "n"))
            return isOwn ? heard.log.resolve(counter: counter, flagsWereFine: true) : nil
        }

        /// Key and ordinal of all that has one.
        var numbers: [String: UInt64] {
            var numbers: [String: UInt64] = [:]
            heard.log.state.withLock { state in
                state.log.forEach(after: 0) { entry, key in
                    numbers[key.text] = entry.ordinal
                    return true
                }
            }
            return numbers
        }
    }

    private func subscribed(at counter: UInt64) -> Listener {
        var listener = Listener()
        listener.heard.log.subscriptionBegan()
        #expect(listener.mark(counter, isOwn: true) == .numbered(offset: counter, missed: nil))
        return listener
    }

    @Test("what comes between the marks of two replicas has the same number in both")
    func onePlace() {
        var first = subscribed(at: 10)
        var second = subscribed(at: 10)
        for listener in 0..<2 {
            let isFirst = listener == 0
            var one = isFirst ? first : second
            one.heard.expire("a")
            // Three were counted without an event. One marks, something expires, the other one marks.
            #expect(one.mark(14, isOwn: isFirst) == (isFirst ? .confirmed : nil))
            one.heard.expire("b")
            #expect(one.mark(15, isOwn: !isFirst) == (isFirst ? nil : .confirmed))
            one.heard.expire("c")
            if isFirst { first = one } else { second = one }
        }
        #expect(first.numbers == ["a": 11, "b": 15, "c": 16])
        #expect(second.numbers == first.numbers)
        for listener in [first, second] {
            #expect(listener.heard.hole(after: 11) == 12...14)
            #expect(listener.heard.log.unannounced.others(in: 12...14).isEmpty)
            #expect(listener.heard.log.takeFound() == [12...14])
        }
    }

    @Test("what follows another one's mark has no number until the node has borne it out")
    func waits() throws {
        var listener = subscribed(at: 10)
        listener.heard.expire("a")
        #expect(listener.mark(13, isOwn: false) == nil)
        listener.heard.expire("b", "c")
        #expect(listener.heard.ordinals(after: 10) == [11])
        #expect(listener.heard.hole(after: 11) == nil && listener.heard.log.counts.last == 11)
        // A word of how far the leader is takes nothing away that has no number yet.
        listener.heard.log.trim(through: 20)
        let heard = try #require(listener.heard.log.openClaims)
        listener.heard.expire("d")
        listener.heard.log.settle(counter: 15, heard: heard, flagsWereFine: true)
        #expect(listener.heard.log.openClaims == nil)
        #expect(listener.numbers.filter { $0.key > "a" } == ["b": 14, "c": 15, "d": 16])
        #expect(listener.heard.log.counts.last == 16)
    }

    @Test(
        "a forged mark moves nothing: one ahead of the node, one that leaves no room for what followed, an old one",
        arguments: [(1_000, 13), (13, 13), (11, 13), (9, 13), (9_007_199_254_740_991, 13)] as [(UInt64, UInt64)])
    func forged(claimed: UInt64, counter: UInt64) {
        var listener = subscribed(at: 10)
        listener.heard.expire("a")
        _ = listener.mark(claimed, isOwn: false)
        listener.heard.expire("b", "c")
        if let heard = listener.heard.log.openClaims {
            listener.heard.log.settle(counter: counter, heard: heard, flagsWereFine: true)
        }
        #expect(listener.numbers == ["a": 11, "b": 12, "c": 13])
        #expect(listener.mark(13, isOwn: true) == .confirmed)
        #expect(listener.heard.log.takeFound().isEmpty)
    }

    @Test("a node that does not answer holds nothing up for ever")
    func abandoned() {
        var listener = subscribed(at: 10)
        listener.heard.expire("a")
        _ = listener.mark(14, isOwn: false)
        listener.heard.expire("b")
        listener.heard.log.abandonClaims()
        #expect(listener.numbers == ["a": 11, "b": 12])
        listener.heard.expire("c")
        #expect(listener.heard.ordinals(after: 10) == [11, 12, 13])
    }

    @Test("a subscription that ends before the answer: a mark within reason is believed, what followed is kept")
    func ended() {
        for (claimed, expected) in [(14, 15), (1 << 40, 12)] as [(UInt64, UInt64)] {
            var listener = subscribed(at: 10)
            listener.heard.expire("a")
            _ = listener.mark(claimed, isOwn: false)
            listener.heard.expire("b")
            listener.heard.log.subscriptionEnded(now: 2_000)
            #expect(listener.numbers == ["a": 11, "b": expected])
            #expect(listener.heard.log.counts.last == expected)
        }
    }

    @Test("a replica that has just subscribed numbers from the first mark that it hears, of any replica")
    func newcomer() {
        var veteran = subscribed(at: 10)
        var newcomer = Listener()
        newcomer.heard.log.subscriptionBegan()
        // Marks of the first one, of a third one, of the newcomer; two and one are counted in silence.
        for (index, counter) in ([13, 15, 16] as [UInt64]).enumerated() {
            veteran.heard.expire("k\(index)")
            newcomer.heard.expire("k\(index)")
            _ = veteran.mark(counter, isOwn: index == 0)
            let finding = newcomer.mark(counter, isOwn: index == 2)
            if let heard = veteran.heard.log.openClaims {
                veteran.heard.log.settle(counter: counter, heard: heard, flagsWereFine: true)
            }
            if index == 2 { #expect(finding == .numbered(offset: 12, missed: nil)) }
        }
        #expect(veteran.numbers == ["k0": 11, "k1": 14, "k2": 16])
        // Where in front of the first mark the silent ones lie only the veteran knows.
        #expect(newcomer.numbers == ["k0": 13, "k1": 14, "k2": 16])
    }

    @Test("a mark's words: a run ID, a count within bounds, a nonce", arguments: 0..<400 as Range<UInt64>)
    func words(_ seed: UInt64) throws {
        var random = RandomSource.seeded(seed)
        let mark = HeardMark(runID: "0123abcd", counter: 1 << 52, nonce: "a:b")
        var bytes = Array(mark.text.utf8)
        #expect(Self.read(bytes) == mark)
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let place = Int.random(in: 0..<bytes.count, using: &random)
            bytes[place] = UInt8.random(in: .min ... .max, using: &random)
        }
        if let counter = Self.read(bytes)?.counter { #expect(counter < PlausibleCount.limit) }
        for text in ["mark:v1:", "mark:v1:r", "mark:v1:r:1", "mark:v1:" + String(repeating: "r", count: 400) + ":1:n"] {
            #expect(Self.read(Array(text.utf8)) == nil)
        }
        #expect(Self.read(Array("mark:v1:r::n".utf8))?.counter == nil)
        #expect(Self.read(Array("mark:v1:r:18446744073709551615:n".utf8))?.counter == nil)
    }

    private static func read(_ bytes: [UInt8]) -> HeardMark? { HeardMark(unsafe bytes.span.bytes) }
}
