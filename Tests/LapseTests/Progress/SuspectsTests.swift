import LeaderElection
import NIOCore
import RESP
import Testing

@testable import Lapse

struct SuspectsTests {
    private static let runID = String(repeating: "a", count: 40)

    private static func position(_ ordinal: UInt64) -> Suspects.Position { .init(runID: runID, ordinal: ordinal) }

    @Test("what was begun when a leader died is known to the next one, by what stands in the registers")
    func inherited() throws {
        var suspects = Suspects(token: 5)
        #expect(suspects.take(Self.position(7), now: .zero) == .begin)
        #expect(suspects.take(Self.position(9), now: .zero) == .begin)
        suspects.ended(Self.position(7))
        let read = try #require(Suspects(text: suspects.text))
        #expect(read.token == 5)
        let next = read.inherited(by: 6)
        #expect(next.deaths == [Self.position(9): 1])
        #expect(try #require(Suspects(text: next.text)).deaths == next.deaths)
        #expect(next.inherited(by: 7).deaths == next.deaths, "it was not begun again")
    }

    @Test("what a careful leader that left had not dealt with makes the next one careful, unless its process is gone")
    func bequeathed() throws {
        func begins(_ suspects: String, unclosed: String, knowing progress: [Progress]) throws -> Suspects? {
            let fields = [Suspects.field, suspects, UnclosedTerms.field, unclosed]
                .map { RESPValue.bulk(ByteBuffer(string: $0)) }
            let answer = RESPValue.array([.array(fields), .array([]), .integer(1000)])
            let word = try #require(RegisterWord(answer, tokenField: "token"))
            let reading = try #require(ProgressReading([word], of: 1))
            return Suspects.atBegin(of: 6, reading, Dictionary(uniqueKeysWithValues: progress.map { ($0.runID, $0) }))
        }
        func progress(through ordinal: UInt64) -> Progress {
            Progress(
                runID: Self.runID, node: "10.0.0.1:6379", base: 0, cursor: Cursor(through: ordinal), token: 5, write: 1)
        }
        let left = "v1 5 \(Self.runID):7:2"
        let next = try begins(left, unclosed: "1", knowing: [progress(through: 6)])
        #expect(next?.deaths == [Self.position(7): 2])
        #expect(try begins(left, unclosed: "1", knowing: [progress(through: 7)]) == nil, "it has come to an end")
        #expect(try begins(left, unclosed: "1", knowing: []) == nil, "its process is gone")
        #expect(try begins("v1 5", unclosed: "1", knowing: [progress(through: 6)]) == nil)
        #expect(try begins("v1 5", unclosed: "2", knowing: [progress(through: 6)]) != nil)
    }

    @Test("one whose handler was not begun, since the term ended while it was noted, is not acquitted")
    func left() throws {
        var suspects = try #require(Suspects(text: "v1 4 \(Self.runID):7:2")).inherited(by: 5)
        #expect(suspects.take(Self.position(7), now: .zero) == .begin)
        suspects.leave(Self.position(7))
        #expect(suspects.survived.deaths == [Self.position(7): 2])
        #expect(suspects.inherited(by: 6).deaths == [Self.position(7): 2], "no leader died over it")
    }

    @Test("one that is buried stays condemned until the term closes: its leader may die before the progress is written")
    func buried() throws {
        var suspects = try #require(Suspects(text: "v1 4 \(Self.runID):7:3 \(Self.runID):8:1")).inherited(by: 5)
        #expect(suspects.take(Self.position(7), now: .zero) == .condemned(deaths: 3))
        suspects.ended(Self.position(7))
        #expect(suspects.hasOpen([]), "the other one")
        let lost = Progress(
            runID: Self.runID, node: "10.0.0.1:6379", base: 0, cursor: Cursor(through: 8), token: 5, write: 1)
        #expect(!suspects.hasOpen([lost]), "seed 38748: one that is lost is never handled, and has come to an end")
        #expect(suspects.take(Self.position(8), now: .zero) == .begin)
        var next = try #require(Suspects(text: suspects.text)).inherited(by: 6)
        #expect(next.deaths == [Self.position(7): 3, Self.position(8): 2])
        #expect(next.take(Self.position(7), now: .zero) == .condemned(deaths: 3))
        suspects.ended(Self.position(8))
        #expect(!suspects.hasOpen([]))
        #expect(suspects.survived.isEmpty)
    }

    @Test(
        "text that no leader wrote is none",
        arguments: [
            "", "v1", "v2 5", "v1 x", "v1 5 a", "v1 5 a:1", "v1 5 a:0:1", "v1 5 a:1:1001",
            "v1 5 a:18446744073709551615:1",
            "v1 5 a:1:-1", "v1 5 :1:1", "v1 5 " + String(repeating: "a", count: 65) + ":1:1!",
            "v1 5 " + String(repeating: "a:1:1 ", count: 100_000),
        ])
    func hostile(text: String) { #expect(Suspects(text: text) == nil) }

    @Test("one that shall be alone and does not come stops the others for a while only")
    func aloneAndGone() {
        var suspects = Suspects(token: 1)
        _ = suspects.take(Self.position(1), now: .zero)
        suspects = suspects.inherited(by: 2)
        _ = suspects.take(Self.position(1), now: .zero)
        suspects = suspects.inherited(by: 3)
        #expect(suspects.take(Self.position(2), now: .zero) == .begin)
        #expect(suspects.take(Self.position(1), now: .zero) == .wait)
        #expect(suspects.take(Self.position(3), now: .zero) == .wait)
        #expect(suspects.take(Self.position(3), now: Suspects.patience) == .begin)
    }

    /// Leaders begin what waits, several at once and in any order; the poisonous ones kill them.
    @Test(
        "what leaders die over is found out within a few deaths each, and nothing else is",
        arguments: 0..<200 as Range<UInt64>)
    func onlyTheGuilty(seed: UInt64) throws {
        var random = RandomSource.seeded(seed)
        var waiting = Set(1...60 as ClosedRange<UInt64>)
        let poisons = Set(
            (0..<Int.random(in: 1...4, using: &random)).map { _ in UInt64.random(in: 1...60, using: &random) })
        var condemned: Set<UInt64> = []
        var suspects = Suspects(token: 1)
        var deaths = 0
        var now = Duration.zero
        while !waiting.isEmpty {
            // A term.
            suspects = try #require(Suspects(text: suspects.text)).inherited(by: suspects.token + 1)
            var underWay: Set<UInt64> = []
            var isDead = false
            while !isDead, !(waiting.isEmpty && underWay.isEmpty) {
                now += .milliseconds(10)
                if Bool.random(using: &random), underWay.count < 8, let next = waiting.randomElement(using: &random) {
                    switch suspects.take(Self.position(next), now: now) {
                    case .begin:
                        waiting.remove(next)
                        underWay.insert(next)
                    case .condemned(let count):
                        #expect(count == Suspects.limit)
                        waiting.remove(next)
                        condemned.insert(next)
                    case .later, .wait: break
                    }
                } else if let next = underWay.randomElement(using: &random) {
                    isDead = poisons.contains(next)
                    guard !isDead else { break }
                    underWay.remove(next)
                    suspects.ended(Self.position(next))
                }
            }
            if isDead { deaths += 1 }
            waiting.formUnion(underWay)
            try #require(deaths <= Suspects.limit * poisons.count, "not condemned")
        }
        #expect(condemned == poisons)
    }

    @Test("what had ended before a leader died, and what a leader has survived, is held against nothing")
    func survivedAndFinished() {
        var suspects = Suspects(token: 1)
        _ = suspects.take(Self.position(5), now: .zero)
        _ = suspects.take(Self.position(6), now: .zero)
        #expect(suspects.survived.inherited(by: 2).deaths.isEmpty)
        var next = suspects.inherited(by: 2)
        let cursor = Cursor(through: 9, pending: [6, 8])
        next.drop { cursor.hasFinished($0.ordinal) }
        #expect(next.deaths == [Self.position(6): 1])
        #expect(!cursor.hasFinished(10) && !cursor.hasFinished(8) && cursor.hasFinished(7))
    }

    @Test("one that shall be alone gets another turn when it did not come to it")
    func aloneAgain() {
        var suspects = Suspects(token: 1)
        for token in 2...3 as ClosedRange<UInt64> {
            _ = suspects.take(Self.position(1), now: .zero)
            suspects = suspects.inherited(by: token)
        }
        #expect(suspects.take(Self.position(2), now: .zero) == .begin)
        #expect(suspects.take(Self.position(1), now: .zero) == .wait)
        #expect(suspects.take(Self.position(3), now: Suspects.patience) == .begin)
        #expect(suspects.take(Self.position(1), now: Suspects.patience * 2) == .wait)
        #expect(suspects.take(Self.position(4), now: Suspects.patience * 2) == .wait)
        suspects.ended(Self.position(2))
        suspects.ended(Self.position(3))
        #expect(suspects.take(Self.position(1), now: Suspects.patience * 2) == .begin)
    }

    @Test func aMajorityCountsTheTerms() {
        #expect(UnclosedTerms.agreed([4, 0, 3], of: 3) == 3)
        #expect(UnclosedTerms.agreed([4, 4], of: 5) == 0)
        #expect(UnclosedTerms.agreed([2], of: 1) == 2)
        #expect(UnclosedTerms.agreed([], of: 1) == 0)
    }
}
