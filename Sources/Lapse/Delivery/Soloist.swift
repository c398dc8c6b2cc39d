/// The lane that works alone, while it does: its handlers end at once, and it has some more in hand.
///
/// It is back before another lane would have begun, and lanes that work side by side at such a pace
/// only keep each other from the lock. But the next handler may take its time: so a watch looks every
/// ``patience`` whether it has been back. A pure value.
struct Soloist {
    /// What the watch finds.
    enum Finding: Equatable {
        /// No lane works alone any more.
        case gone
        case back
        /// It has not been back since the last look: others are to help from now on.
        case overdue
    }

    /// How long others wait for it; twice as long if the watch has just looked when it goes.
    static let patience = Duration.milliseconds(5)

    /// With fewer in hand none works alone: where expirations come one by one, each would call the watch.
    static let least = 8

    private(set) var lane: Int?
    private var turns: UInt64 = 0
    private var isWatched = false
    /// How often it had been back when the watch looked, and when that was first so.
    private var seen: (turns: UInt64, since: Duration)?
    /// One has not come back: its pace tells nothing about the next handler, nor does that of lanes that
    /// have been waiting.
    private var isDistrusted = false

    /// The lane goes to work alone, if that may be; true if the watch is to be called.
    mutating func go(_ lane: Int) -> Bool {
        guard !isDistrusted else { return false }
        self.lane = lane
        turns &+= 1
        defer { isWatched = true }
        return !isWatched
    }

    /// A lane comes from handlers that have just ended at once.
    mutating func trust() { isDistrusted = false }

    /// The lane is back, or has put down what it had; whether it was the one.
    @discardableResult
    mutating func came(_ lane: Int) -> Bool {
        guard self.lane == lane else { return false }
        self.lane = nil
        return true
    }

    /// Whether this lane may rest: another does the work.
    func replaces(_ lane: Int) -> Bool { self.lane.map { $0 != lane } ?? false }

    /// - Parameter now: by the monotonic clock. It may be called more often than ``patience`` asks.
    mutating func watch(_ now: Duration) -> Finding {
        guard isWatched else { return .gone }
        guard let seen, seen.turns == turns else {
            self.seen = (turns, now)
            return .back
        }
        guard now - seen.since >= Self.patience else { return .back }
        // Between two turns no lane works alone for a moment: only after a while the watch goes.
        isWatched = false
        self.seen = nil
        guard lane != nil else { return .gone }
        lane = nil
        isDistrusted = true
        return .overdue
    }
}
