import LeaderElection
import Testing

@testable import Lapse

/// Whatever a partition's servers forget and whichever answers are lost: what was answered is there in
/// the end.
@Suite struct StreamBringingTests {
    /// What a server does with a call: it appends what it does not have, unless it has had fewer than the
    /// leader knows of.
    private struct Server {
        private(set) var entries: [UInt64] = []
        private var held: Set<UInt64> = []

        mutating func call(_ ordinals: [UInt64], known: UInt64) -> StreamAppend.Outcome {
            let before = UInt64(entries.count)
            guard before >= known else { return .behind(before) }
            var verdicts: [StreamCursor.Verdict] = []
            for ordinal in ordinals {
                let isNew = held.insert(ordinal).inserted
                verdicts.append(isNew ? .append : .has)
                if isNew { entries.append(ordinal) }
            }
            return .done(.init(verdicts: verdicts, before: before, vanished: 0, unread: 0))
        }

        /// One is promoted without the last of them.
        mutating func lose(_ count: Int) {
            entries.removeLast(min(count, entries.count))
            held = Set(entries)
        }
    }

    /// The writer of a partition, as `StreamPartition` goes about it.
    private struct Model {
        /// A call came to nothing that is known of.
        struct NoAnswer: Error {}

        var random: RandomSource
        var isFaulty = true
        var server = Server()
        var standing = StreamStanding(recent: RecentAppends(age: .seconds(30)))
        var calls = 0

        init(seed: UInt64) {
            random = .seeded(seed)
            standing.begin(.init(store: "redis", token: 7, epoch: 0))
        }

        mutating func call(_ ordinals: [UInt64]) throws -> StreamAppend.Answer? {
            calls += 1
            if isFaulty, Int.random(in: 0..<10, using: &random) == 0 {
                server.lose(Int.random(in: 0..<10, using: &random))
            }
            let outcome = server.call(ordinals, known: standing.known)
            if isFaulty, Int.random(in: 0..<7, using: &random) == 0 { throw NoAnswer() }
            switch outcome {
            case .behind(let count): standing.isBehind(count)
            case .fenced: break
            case .done(let answer):
                standing.took(answer)
                return answer
            }
            return nil
        }

        mutating func bringBack() throws -> Bool {
            while let part = standing.toBring {
                guard let answer = try call(part.entries.ordinals) else { return false }
                standing.brought(answer, now: .zero)
            }
            _ = standing.wasBrought()
            return true
        }

        /// False where it must come again.
        mutating func send(_ ordinals: ClosedRange<UInt64>, of runID: String) -> Bool {
            do {
                for _ in 0..<3 {
                    guard try bringBack(), let answer = try call(Array(ordinals)) else { continue }
                    let entries = StreamEntries(ordinals: ordinals)
                    standing.isIn(.init(runID: runID, entries: entries, appended: answer.appended), now: .zero)
                    return true
                }
            } catch {
                // It is not known whether they are there.
            }
            return false
        }
    }

    @Test(
        "nothing that was answered is missing, over fail-overs, lost answers and interruptions",
        arguments: 1...100 as ClosedRange<UInt64>)
    func nothingIsMissing(seed: UInt64) {
        var model = Model(seed: seed)
        var waiting: [(ordinals: ClosedRange<UInt64>, runID: String)] = []
        var next: UInt64 = 1
        for _ in 0..<200 {
            let part: (ordinals: ClosedRange<UInt64>, runID: String)
            if !waiting.isEmpty, Bool.random(using: &model.random) {
                let place = Int.random(in: 0..<waiting.count, using: &model.random)
                part = waiting.remove(at: place)
            } else {
                let last = next + UInt64.random(in: 0..<3, using: &model.random)
                part = (next...last, Bool.random(using: &model.random) ? "a" : "b")
                next = last + 1
            }
            if !model.send(part.ordinals, of: part.runID) { waiting.append(part) }
        }
        model.isFaulty = false
        // The last one finds out what the server lacks.
        waiting.append((next...next, "a"))
        for part in waiting {
            let isSent = model.send(part.ordinals, of: part.runID)
            #expect(isSent)
        }
        let all: [UInt64] = Array(1...next)
        #expect(model.server.entries.sorted() == all)
    }

    @Test("a fail-over costs calls for what is missing, however much is kept")
    func costs() {
        var model = Model(seed: 1)
        model.isFaulty = false
        for ordinal in 1...1_000 as ClosedRange<UInt64> { _ = model.send(ordinal...ordinal, of: "a") }
        model.server.lose(5)
        model.calls = 0
        _ = model.send(1_001...1_001, of: "a")
        // One that is refused, one that brings five, and its own.
        #expect(model.calls == 3)
        let all: [UInt64] = Array(1...1_001)
        #expect(model.server.entries == all)
    }
}
