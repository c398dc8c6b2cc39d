import Testing

@testable import Lapse

/// What a follower forgets since the leader has removed it, and what it keeps though the registers lack
/// it.
struct RemovedProgressTests {
    private func progress(_ runID: String, token: UInt64 = 7, write: UInt64, epoch: UInt64 = 0) -> Progress {
        var progress = Progress(
            runID: runID, node: "10.0.0.1:6379", base: 0, cursor: Cursor(through: 9), token: token, write: write)
        progress.epoch = epoch
        return progress
    }

    private func table(_ all: [Progress]) -> [String: Progress] {
        Dictionary(all.map { ($0.runID, $0) }) { first, _ in first }
    }

    /// What registers answer that hold these.
    private func reading(_ registers: [[Progress]], of count: Int? = nil) throws -> ProgressReading {
        let words = registers.map { all in
            var word = RegisterWord()
            word.entries = table(all)
            return word
        }
        return try #require(ProgressReading(words, of: count ?? registers.count))
    }

    @Test("what the registers have lacked for long, beside a later word, was removed: its base goes with it")
    func removed() throws {
        let keeper = ProgressKeeper(places: [], id: "b")
        keeper.learn([progress("gone", write: 5), progress("here", write: 5)])
        var removed = RemovedProgress(logAge: .seconds(60))
        let after = try reading([[progress("here", write: 6)]])
        let early = removed.look(keeper.latest, after, now: .seconds(100))
        let later = removed.look(keeper.latest, after, now: .seconds(219))
        let long = removed.look(keeper.latest, after, now: .seconds(220))
        #expect(early.isEmpty && later.isEmpty && long.keys.sorted() == ["gone"])
        keeper.forget(Array(long.keys))
        #expect(keeper.latest.keys.sorted() == ["here"])
        let none = removed.look(keeper.latest, after, now: .seconds(221))
        #expect(none.isEmpty)
    }

    @Test("row 56: what a leader told that could not write it is kept, however long no leader writes")
    func refused() throws {
        var removed = RemovedProgress(logAge: .seconds(60))
        let known = table([progress("new", write: 9), progress("here", write: 9)])
        let before = try reading([[progress("here", write: 6)]])
        for second in stride(from: 0, through: 7_200, by: 60) {
            let gone = removed.look(known, before, now: .seconds(second))
            #expect(gone.isEmpty)
        }
    }

    @Test("registers that have lost everything have removed nothing")
    func wiped() throws {
        var removed = RemovedProgress(logAge: .seconds(60))
        let known = table([progress("here", write: 6)])
        let nothing = try reading([[], [], []])
        for second in [0, 3_600] {
            let gone = removed.look(known, nothing, now: .seconds(second))
            #expect(gone.isEmpty)
        }
    }

    @Test("row 119: what one register holds was not removed; nor what comes back in time")
    func back() throws {
        var removed = RemovedProgress(logAge: .seconds(60))
        let one = progress("one", write: 5)
        let other = progress("other", write: 6)
        let lacking = try reading([[other], [other]], of: 3)
        let split = try reading([[other], [one, other]], of: 3)
        var gone = removed.look(table([one, other]), lacking, now: .seconds(0))
        gone.merge(removed.look(table([one, other]), split, now: .seconds(100))) { $1 }
        gone.merge(removed.look(table([one, other]), lacking, now: .seconds(120))) { $1 }
        gone.merge(removed.look(table([one, other]), lacking, now: .seconds(239))) { $1 }
        #expect(gone.isEmpty, "the time began again")
        let late = removed.look(table([one, other]), lacking, now: .seconds(240))
        #expect(late.keys.sorted() == ["one"])
    }

    @Test("row 111: a later word is one of a later epoch, whatever its token")
    func epochs() throws {
        var removed = RemovedProgress(logAge: .seconds(60))
        let known = table([progress("old", token: 900, write: 5)])
        let after = try reading([[progress("here", token: 3, write: 1, epoch: 1)]])
        _ = removed.look(known, after, now: .zero)
        let gone = removed.look(known, after, now: .seconds(120))
        #expect(gone.keys.sorted() == ["old"])
    }

    @Test("as long as a peer may hold what it is about: twice the age of the logs")
    func longLogs() throws {
        var removed = RemovedProgress(logAge: .seconds(900))
        let known = table([progress("gone", write: 5)])
        let after = try reading([[progress("here", write: 6)]])
        var gone: [Int] = []
        for second in [0, 1_799, 1_800] where !removed.look(known, after, now: .seconds(second)).isEmpty {
            gone.append(second)
        }
        #expect(gone == [1_800])
    }

    @Test("a log that moves no more is written again once a majority of the registers lacks it")
    func writtenAgain() throws {
        let (quiet, busy) = (progress("quiet", write: 5), progress("busy", write: 5))
        var unwritten = UnwrittenProgress()
        unwritten.wrote([quiet, busy])
        #expect(unwritten.moved([quiet, busy]).isEmpty)
        let half = try reading([[quiet, busy], [busy]], of: 3)
        let lost = try reading([[quiet, busy], [busy], [busy]])
        #expect(!half.lacks("quiet") && lost.lacks("quiet") && !lost.lacks("busy") && lost.lacks("unknown"))
        unwritten.lost(["quiet"])
        #expect(unwritten.moved([quiet, busy]) == [quiet])
        unwritten.wrote([quiet])
        #expect(unwritten.moved([quiet, busy]).isEmpty)
    }
}
