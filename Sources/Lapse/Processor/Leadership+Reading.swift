import LeaderElection
import Logging
import Timing

extension Leadership {
    func giveUp(_ term: Term) {
        logger.warning("term given up: progress cannot be read", metadata: ["term": .stringConvertible(term.number)])
        resign()
    }

    /// A right that is taken in mid-term ends the term as one that was missing at its beginning.
    ///
    /// The leader's own cursors are enough to go on by for a while. What its peers tell it by the registers
    /// is not had meanwhile: what was missed, resets of a counter, wishes. Another replica may be allowed
    /// to read it. What is away, not forbidden, is away for the others too.
    func watchReading(_ term: Term) async {
        let bell = Doorbell(on: loop)
        var lack = LastingTrouble(patience: readingPatience)
        while await bell.wait(upTo: progressInterval) != .cancelled {
            let isForbidden = keeper.troubles.reading?.isForbidden ?? false
            if lack.look(isForbidden, now: SystemClock.read().monotonic) == .tell { return giveUp(term) }
        }
    }
}
