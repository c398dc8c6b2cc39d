import Lapse
import LeaderElection

/// What is told again, since the first try was refused. Where nothing is refused in this way a base is
/// told once: those runs are what they always were.
extension SimulatedWorld {
    /// Whether a server refuses this word, which it takes when the same is told again.
    func refusesFirstTry(_ word: String) -> Bool {
        now < network.firstTriesRefusedUntil && network.tried.insert(word).inserted
    }

    /// Whether a majority of all registers has taken a word.
    func isTaken(_ answers: [Bool??]) -> Bool { ProgressVote.outcome(answers.map { $0 ?? nil }) == .written }

    /// A mark has shown the base of a log.
    func tellUntilTaken(_ log: NodeLog, _ replica: Replica, done: @escaping () -> Void) {
        guard log.base > 0 else { return done() }
        let base = UInt64(log.base)
        replica.bases[log.runID] = max(replica.bases[log.runID] ?? 0, base)
        guard let untold = replica.ownBases.found(base, of: log.runID) else { return done() }
        tell(untold, of: log.runID, replica) { _ in done() }
    }

    /// With each read: those that no majority has taken.
    func tellAgain(_ replica: Replica, done: @escaping () -> Void) {
        guard judges(.refusedTelling) else { return done() }
        let untold = replica.ownBases.untold.sorted { $0.key < $1.key }
        tell(untold.map { ($0.key, $0.value) }, replica, done: done)
    }

    /// Where one is not taken the others wait, too.
    private func tell(_ untold: [(runID: String, base: UInt64)], _ replica: Replica, done: @escaping () -> Void) {
        guard let first = untold.first else { return done() }
        tell(first.base, of: first.runID, replica) { [unowned self] isTold in
            if isTold { tell(Array(untold.dropFirst()), replica, done: done) } else { done() }
        }
    }

    private func tell(_ base: UInt64, of runID: String, _ replica: Replica, done: @escaping (Bool) -> Void) {
        let isRefused = refusesFirstTry("\(replica.id) \(runID) \(base)")
        trace.note("base", replica.life, base, isRefused ? "\(runID), refused" : runID)
        askAll(replica) { register -> Bool? in
            isRefused ? nil : register.tell(base: base, of: runID)
        } done: { [unowned self] answers in
            let isTold = isTaken(answers)
            if isTold || defect == .refusedBaseTold { replica.ownBases.taken(base, of: runID) }
            done(isTold)
        }
    }
}
