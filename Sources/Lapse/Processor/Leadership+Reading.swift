import LeaderElection
import Logging
import Timing

/// How long a leader has not been allowed to read the progress. A pure value.
///
/// Its own cursors are enough to go on by for a while. What its peers tell it by the registers is not
/// had meanwhile: what was missed, resets of a counter, wishes. Another replica may be allowed to read
/// it.
struct RefusedReading {
    private var since: Duration?

    /// - Parameters:
    ///   - isRefused: the right is missing. What is away is away for the others too.
    ///   - now: by the monotonic clock.
    /// - Returns: whether the term is to be given up.
    mutating func look(_ isRefused: Bool, patience: Duration, now: Duration) -> Bool {
        guard isRefused else {
            since = nil
            return false
        }
        let began = since ?? now
        since = began
        return now - began >= patience
    }
}

extension Leadership {
    func giveUp(_ term: Term) {
        logger.warning("term given up: progress cannot be read", metadata: ["term": .stringConvertible(term.number)])
        resign()
    }

    /// A right that is taken in mid-term ends the term as one that was missing at its beginning.
    func watchReading(_ term: Term) async {
        let bell = Doorbell(on: loop)
        var reading = RefusedReading()
        while await bell.wait(upTo: progressInterval) != .cancelled {
            let isRefused = keeper.troubles.reading?.isForbidden ?? false
            if reading.look(isRefused, patience: readingPatience, now: SystemClock.read().monotonic) {
                return giveUp(term)
            }
        }
    }
}
