/// When to scan the next page of a server's keys: never more than a share of its time, measured by what
/// it works for an answer.
///
/// A long SCAN walks the order of the server's own expiry cursor and can starve it, so no sweep is ever
/// in a hurry. Pure: times are given, in nanoseconds of the own monotonic clock.
package struct SweepPace: Sendable {
    /// What a sweep is for.
    package enum Purpose: Sendable {
        /// Deadlines that were set before this term, or before the hints were heard.
        case catchingUp
        /// Everything, for there are no hints.
        case unhinted
        /// What came with slots of another master, where hints about it may have been missed.
        case arrivals
        /// What came without a hint, or found no room.
        case steady

        /// The share of the server's time, in percent.
        fileprivate var share: Int64 {
            switch self {
            case .catchingUp: 30
            case .unhinted, .arrivals: 10
            case .steady: 2
            }
        }

        /// How long after the begin of one pass the next begins, in nanoseconds.
        fileprivate var interval: Int64 { self == .steady ? 60_000_000_000 : 100_000_000 }
    }

    /// What a pass is to bring in.
    private enum Reach: Comparable {
        /// What it meets, in no hurry.
        case steady
        /// What came with slots, of which nothing is known.
        case arrivals
        /// What is not known: it found no room.
        case unknown
        /// Everything: what is known is asked for again, for hints were missed.
        case everything
    }

    package enum Step: Sendable, Equatable {
        case scan(cursor: String)
        case wait(until: Int64)
    }

    /// Whether there are hints.
    package var isHinted = false
    /// How long the next pass will take that is in no hurry, by the last one, in nanoseconds.
    private(set) var nextPass: Int64?
    /// What the pages of this pass took of the server's time, and how long they were on their way besides.
    private var work: Int64 = 0
    private var travel: Int64 = 0
    /// Failures in a row.
    private(set) var failures = 0
    /// Those at which one key was more than an answer may hold.
    private var oversized = 0
    private static let enoughOversized = 3
    /// How long after a pass was given up the next begins, in nanoseconds.
    private static let pauseAfterOversized: Int64 = 20_000_000_000
    /// How many keys one SCAN looks at: fewer while answers do not come, which may be too large.
    package private(set) var pageKeys = mostKeys
    private static let mostKeys = 500
    private var cursor = "0"
    private var begunAt: Int64 = .min
    /// After a failure.
    private var restsUntil: Int64 = .min
    /// The last page: its end, and what the server worked for it.
    private var lastPage: (end: Int64, work: Int64)?
    /// How long a page gives way to questions that wait, in nanoseconds: they may wait for ever.
    private static let mostGivingWay: Int64 = 100_000_000
    private static let aMoment: Int64 = 2_000_000
    /// Of the next pass, by what has happened since the one under way began.
    private var wanted = Reach.everything
    /// Of the pass under way; nil where none is.
    private var current: Reach?
    /// A pass was wanted for keys that found no room, and none has begun by itself since.
    private var hasWantedRoom = false

    package init() {}

    package var purpose: Purpose {
        switch max(current ?? .steady, wanted) {
        case .steady: isHinted ? .steady : .unhinted
        case .arrivals: .arrivals
        case .unknown, .everything: .catchingUp
        }
    }

    /// Deadlines that are known may be wrong, but for those that were asked for since then; nil where they
    /// are right.
    package var renewsSince: Int64? { current == .everything ? begunAt : nil }

    /// Hints may have been missed.
    package mutating func want() { wanted = .everything }

    /// Slots have come from another master.
    package mutating func wantArrivals() { wanted = max(wanted, .arrivals) }

    /// Keys found no room. The next pass may find some; where it does not, another one at once would not
    /// either.
    package mutating func wantRoom() {
        guard !hasWantedRoom else { return }
        hasWantedRoom = true
        wanted = max(wanted, .unknown)
    }

    /// - Parameter isBusy: many questions wait.
    package mutating func next(now: Int64, isBusy: Bool = false) -> Step {
        // The rest of a pass that does not ask again would help nothing, and may take hours.
        if wanted == .everything, current != .everything { current = nil }
        let rested = max(restsUntil, restAfterPage)
        guard now >= rested else { return .wait(until: rested) }
        if isBusy, let lastPage, now - lastPage.end < Self.mostGivingWay { return .wait(until: now + Self.aMoment) }
        if current == nil {
            let due = wanted > .steady || begunAt == .min ? now : begunAt + purpose.interval
            guard now >= due else { return .wait(until: due) }
            if wanted == .steady { hasWantedRoom = false }
            (current, wanted) = (wanted, .steady)
            begunAt = now
            (work, travel) = (0, 0)
            cursor = "0"
        }
        return .scan(cursor: cursor)
    }

    /// A page has been read.
    ///
    /// - Parameters:
    ///   - took: from the question to the answer.
    ///   - work: what of that the server worked for it.
    package mutating func page(next: String, took: Int64, work: Int64, now: Int64) {
        lastPage = (now, work)
        (failures, oversized) = (0, 0)
        pageKeys = min(pageKeys * 2, Self.mostKeys)
        self.work += work
        travel += took - work
        cursor = next
        guard next == "0" else { return }
        current = nil
        let next: Purpose = isHinted ? .steady : .unhinted
        nextPass = next.interval + travel + self.work * 100 / next.share
    }

    /// By the share that the sweep has now: one that has become urgent does not rest as one that was in no
    /// hurry, after a page that was held up.
    private var restAfterPage: Int64 {
        lastPage.map { $0.end + $0.work * (100 - purpose.share) / purpose.share } ?? .min
    }

    /// Nothing came back; the cursor still holds, unless another process answers from now on.
    ///
    /// - Parameter isOversized: what came was more than an answer may hold.
    /// - Returns: whether the pass is given up: no page is small enough to go past some key.
    @discardableResult
    package mutating func failed(now: Int64, isOversized: Bool = false) -> Bool {
        failures += 1
        oversized = isOversized && pageKeys == 1 ? oversized + 1 : 0
        pageKeys = max(1, pageKeys / 4)
        restsUntil = now + min(200_000_000 << Int64(min(failures - 1, 5)), 5_000_000_000)
        guard oversized >= Self.enoughOversized else { return false }
        // From the front again: what was set there since is found, and the key may be gone by then.
        if current == .everything { wanted = .everything }
        current = nil
        (failures, oversized, pageKeys) = (0, 0, Self.mostKeys)
        restsUntil = now + Self.pauseAfterOversized
        return true
    }
}
