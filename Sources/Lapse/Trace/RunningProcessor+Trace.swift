import LeaderElection
import RESP
import Synchronization
import Timing

/// What this replica knows of a key.
extension RunningProcessor {
    /// What all that it keeps for it takes at most, in bytes, beside the logs: with the trail and the
    /// ledger under 16 MiB.
    static let shedLimit = 11 << 20

    /// Notes the leader, so that a trace can name it later. The registers have just been read.
    func noteLeader(_ parts: Parts) {
        let state = parts.elector.state
        guard !state.isLeader, let leader = state.leader else { return }
        metrics.ledger.saw(
            .init(replica: leader, term: parts.keeper.termRecord.term), token: parts.keeper.latestToken)
    }

    /// Looks through everything that is kept: some milliseconds for each 10 MiB of keys.
    func trace(_ question: TraceQuestion, _ dispatcher: Dispatcher, _ keeper: ProgressKeeper) -> TraceAnswer {
        var search = TraceSearch(question.key)
        for shed in logs.shed?.all ?? [] { search.look(at: shed.chunk, of: shed.process) }
        for log in logs.all {
            for chunk in log.kept where chunk.isNumbered { search.look(at: chunk, of: log.process) }
        }
        let content = metrics.ledger.content
        let isLeader = parts.withLock { $0 }?.elector.state.isLeader ?? false
        let progress = isLeader ? dispatcher.inspect { $0.progress() } : Array(keeper.latest.values)
        let cursors = Dictionary(progress.map { ($0.runID, $0.cursor) }) { first, _ in first }
        let trails = dispatcher.steps(of: search.found.map { ($0.process, $0.entry.ordinal) })
        let occurrences = zip(search.found, trails).map { found, trail in
            var steps = trail.map { step in
                TraceAnswer.Step(
                    what: step.kind == .handedOut ? "handed out" : "handled", at: step.at,
                    term: content.leaders[step.token]?.term, token: step.token, attempt: Int(step.attempt))
            }
            steps += content.failures.filter { $0.process == found.process && $0.ordinal == found.entry.ordinal }.map {
                TraceAnswer.Step(
                    what: $0.kind == .failed ? "failed" : "dead-lettered", at: $0.at,
                    term: content.leaders[$0.token]?.term, token: $0.token, attempt: $0.attempt, error: $0.error)
            }
            let (process, entry) = (found.process, found.entry)
            let standing = cursors[process.runID].map { cursor in
                cursor.hasFinished(entry.ordinal)
                    ? "finished" : entry.ordinal <= cursor.through ? "begun" : "waiting"
            }
            return TraceAnswer.Occurrence(
                node: process.node, runID: process.runID, ordinal: entry.ordinal, database: Int(entry.database),
                heardAt: entry.receivedAt, isRepaired: entry.isRepaired, standing: standing,
                steps: Array(steps.sorted { $0.at < $1.at }.suffix(TraceAnswer.stepLimit)),
                found: content.terms.filter { $0.began >= entry.receivedAt && $0.found != nil }.map {
                    $0.found(entry.ordinal, in: process.runID, leaders: content.leaders)
                })
        }
        return TraceAnswer(
            replica: configuration.id, version: BuildVersion.text, isLeader: isLeader, since: search.oldest,
            now: WallClock.milliseconds(), occurrences: occurrences,
            losses: content.losses.suffix(TraceAnswer.lossLimit).map {
                .init(
                    node: $0.node, runID: $0.runID, first: $0.first, last: $0.last, lost: $0.lost, cause: $0.cause,
                    at: $0.at)
            })
    }
}

/// Looks for a key, chunk by chunk. A pure value.
struct TraceSearch {
    struct Found: Sendable {
        var process: NodeProcess
        var entry: ExpirationLog.Entry
    }

    private let key: [UInt8]
    /// The oldest first; the newest ones.
    private(set) var found: [Found] = []
    /// When the oldest expiration came that was looked at, in milliseconds since 1970.
    private(set) var oldest: UInt64?

    init(_ key: [UInt8]) { self.key = key }

    mutating func look(at chunk: LogChunk, of process: NodeProcess) {
        guard chunk.count > 0 else { return }
        oldest = min(oldest ?? .max, chunk.receivedAt(0))
        let key = key
        var new: [Found] = []
        _ = chunk.visit(from: 0) { entry, bytes in
            if bytes.equals(key) { new.append(Found(process: process, entry: entry)) }
            return true
        }
        guard !new.isEmpty else { return }
        for one in new
        where !found.contains(where: { $0.process.runID == process.runID && $0.entry.ordinal == one.entry.ordinal }) {
            found.append(one)
        }
        guard found.count > TraceAnswer.occurrenceLimit else { return }
        found.sort { $0.entry.receivedAt < $1.entry.receivedAt }
        found.removeFirst(found.count - TraceAnswer.occurrenceLimit)
    }
}

extension TraceLedger.OwnTerm {
    /// What an earlier leader's progress said of an expiration when this term began.
    func found(_ ordinal: UInt64, in runID: String, leaders: [UInt64: TraceLedger.Leader]) -> TraceAnswer.Found {
        let progress = found?[runID]
        let isFinished = progress?.cursor.hasFinished(ordinal) ?? false
        // What is finished was so for the leader that wrote it; what is not was the last leader's.
        let leader = isFinished ? progress.flatMap { leaders[$0.token] } : before
        let word =
            switch progress?.cursor {
            case let cursor? where cursor.hasFinished(ordinal): "finished"
            case let cursor? where ordinal <= cursor.through: "begun"
            default: "unsaid"
            }
        return TraceAnswer.Found(
            term: term, at: began, replica: leader?.replica, leaderTerm: leader?.term, word: word)
    }
}
