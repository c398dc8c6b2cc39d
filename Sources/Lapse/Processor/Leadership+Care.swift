import LeaderElection
import Logging
import Timing

/// What a leader does after others have died one after the other.
extension Leadership {
    /// After leaders have died one after the other, this one notes what it begins.
    func careful(
        _ reading: ProgressReading, _ progress: [String: Progress], _ term: Term
    ) -> CarefulHandling? {
        guard let suspects = Suspects.atBegin(of: term.token.rawValue, reading, progress) else { return nil }
        logger.warning(
            "leaders died one after the other: noting what is begun",
            metadata: [
                "terms": .stringConvertible(max(reading.unclosed, 1) - 1),
                "suspects": .stringConvertible(suspects.deaths.count),
            ])
        return CarefulHandling(suspects, bell: Doorbell(on: loop)) { [keeper] in
            await keeper.write($0)
        } close: { [keeper] in
            await keeper.close($0)
        } pause: { [loop] in
            await Doorbell(on: loop).wait(upTo: .milliseconds(10)) != .cancelled
        }
    }

    /// Waits until lanes may begin; false when the term ends before.
    func mayServe(_ care: CarefulHandling?) async -> Bool {
        guard care != nil else { return true }
        return await Doorbell(on: loop).wait(upTo: CarefulHandling.grace) != .cancelled
    }

    /// Says that this term has survived what it found.
    ///
    /// What it found is what its logs hold once they are whole and handlers may begin: a newcomer's are
    /// empty at first, and a term that closes before has survived nothing.
    func closeInTime(_ term: Term, _ care: CarefulHandling?) async {
        let began = SystemClock.read().monotonic
        guard await mayServe(care) else { return }
        let bell = Doorbell(on: loop)
        var backlog: TermBacklog?
        while await bell.wait(upTo: progressInterval) != .cancelled {
            let isLong = SystemClock.read().monotonic - began >= TermBacklog.patience
            if backlog == nil, dispatcher.inspect({ $0.isWhole }), isWhole() {
                backlog = TermBacklog(logs.all.map { ($0.runID, $0.lastOrdinal) })
            }
            let progress = dispatcher.inspect { $0.progress() }
            guard isLong || backlog?.isFinished(progress) ?? false else { continue }
            guard isLong || !(care?.hasSuspects(progress) ?? false) else { continue }
            guard term.lease.isValid else { continue }
            guard let care else { return await keeper.close(Suspects(token: term.token.rawValue)) }
            return care.isDone()
        }
    }
}
