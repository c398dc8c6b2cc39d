/// The lane that works alone, while it does: its handlers end at once, and it has some more in hand.
///
/// It is back before another lane would have begun, and lanes that work side by side at such a pace only keep each other from
/// the lock. But the next handler may take its time: so a watch looks every ``patience`` whether it has been back. A pure value.
struct Soloist {
    /// What the watch finds.
    enum Finding: Equatable {
        /// Nobody works alone any more.
        case gone
        case back
        /// It has not been back since the last look: others are to help from now on.
        case overdue
    }

    /// How long others wait for it at most, from one look of the watch to the next.
    static let patience = Duration.milliseconds(5)

    /// With fewer in hand none works alone: where expirations come one by one, each would call the watch.
    static let least = 8

    private(set) var lane: Int?
    private var turns: UInt64 = 0
    private var isWatched = false
    /// How often it had been back when the watch looked.
    private var seen: UInt64?

    /// The lane has gone to work alone; true if the watch is to be called.
    mutating func go(_ lane: Int) -> Bool {
        self.lane = lane
        turns &+= 1
        defer { isWatched = true }
        return !isWatched
    }

    /// The lane is back, or has put down what it had; whether it was the one.
    @discardableResult
    mutating func came(_ lane: Int) -> Bool {
        guard self.lane == lane else { return false }
        self.lane = nil
        return true
    }

    /// Whether this lane may rest: another does the work.
    func replaces(_ lane: Int) -> Bool { self.lane.map { $0 != lane } ?? false }

    mutating func watch() -> Finding {
        guard isWatched else { return .gone }
        guard lane != nil else {
            // Between two turns nobody works alone for a moment: once more, then the watch goes.
            if seen == turns {
                stopWatching()
                return .gone
            }
            seen = turns
            return .back
        }
        if seen == turns {
            lane = nil
            stopWatching()
            return .overdue
        }
        seen = turns
        return .back
    }

    private mutating func stopWatching() {
        isWatched = false
        seen = nil
    }
}
