import ExpirationStream
import LeaderElection
import Logging
import RESP
import RedisClient
import Synchronization
import Timing

/// One partition and its only writer here: calls go one after the other, so that a key's entries keep
/// their order.
final class StreamPartition: Sendable {
    /// What is told of it.
    enum News: Sendable {
        case appended(StreamAppend.Answer)
        /// Nothing can be appended, or it can again.
        case trouble(RedisError?)
        /// It could not be looked after, and takes nothing for a moment.
        case silent(RedisError)
        /// What the groups have acknowledged cannot be taken away.
        case untrimmed(RedisError)
        /// Its server was promoted without the last entries: these are brought before anything newer.
        case behind(missing: UInt64)
        /// That is done: of `missing`, `again` were brought again.
        case rolledBack(missing: UInt64, again: UInt64)
    }

    let key: String
    private let index: Int
    private let destination: StreamDestination
    private let client: KeyedClient
    private let tell: @Sendable (StreamPartition, News) -> Void
    private let turnstile = Turnstile()
    private let state: Mutex<StreamStanding>

    init(
        _ index: Int, of destination: StreamDestination, client: KeyedClient,
        tell: @escaping @Sendable (StreamPartition, News) -> Void
    ) {
        self.index = index
        key = destination.keys.partitions[index]
        self.destination = destination
        self.client = client
        self.tell = tell
        let share = (64 << 20) / destination.keys.partitions.count
        state = Mutex(StreamStanding(recent: RecentAppends(age: destination.retain, limit: share)))
    }

    /// Appends what the partition does not have.
    ///
    /// - Throws: `StreamUnavailable`, `FencedOut`, or `CancellationError` at the end of the term.
    func append(
        _ entries: StreamEntries, of runID: String, as writer: StreamAppend.Writer, _ context: BatchContext
    ) async throws {
        try await turnstile.pass {
            // What a term leaves behind, and that comes late, must not touch what the present one knows.
            guard context.isLeading else { throw CancellationError() }
            let now = SystemClock.read().monotonic
            let pause = state.withLock { state in
                state.begin(writer)
                return state.pause(now: now)
            }
            guard pause == .zero else { throw unavailable("it did not answer a moment ago") }
            do {
                try await send(entries, of: runID, context)
            } catch let error as RedisError {
                try Task.checkCancellation()
                state.withLock { $0.hasFailed(now: SystemClock.read().monotonic) }
                tell(self, .trouble(error))
                throw unavailable("\(error)")
            }
            if state.withLock({ $0.hasRecovered() }) { tell(self, .trouble(nil)) }
        }
    }

    /// Looks whether its server still has what was appended, and takes away what every group has
    /// acknowledged.
    ///
    /// - Parameter isTrimming: whether to do the latter even if nothing was appended lately.
    func keepUp(as writer: StreamAppend.Writer, isTrimming: Bool, _ context: BatchContext) async {
        // Cancelled before its turn there is nothing left to look after.
        try? await turnstile.pass {
            guard context.isLeading else { return }
            let now = SystemClock.read().monotonic
            let isDue = state.withLock { state in
                state.begin(writer)
                return (isTrimming || state.isToBeAsked) && state.pause(now: now) == .zero
            }
            guard isDue else { return }
            do {
                try await upkeep(as: writer, context, now)
                if state.withLock({ $0.hasAnswered() }) { tell(self, .trouble(nil)) }
            } catch let error as RedisError {
                guard !Task.isCancelled else { return }
                // A right may be missing that nothing else needs.
                guard error.tookItsTime else {
                    tell(self, .untrimmed(error))
                    return
                }
                state.withLock { $0.isSilent(now: SystemClock.read().monotonic) }
                tell(self, .silent(error))
            } catch {
                // The term is over, or a later one was seen: the next batch says so.
            }
        }
    }

    private func upkeep(as writer: StreamAppend.Writer, _ context: BatchContext, _ now: Duration) async throws {
        guard try await bringBack(context) else { return }
        let (known, timeout) = state.withLock { ($0.known, $0.timeout) }
        let reply = try await client.run(
            StreamScripts.upkeep, keys: keys(), arguments: StreamAppend.upkeep(writer, known: known), timeout: timeout)
        switch StreamAppend.outcome(reply, of: 0) {
        case .done(let answer):
            took(answer)
            state.withLock { $0.hasAll(asked: now) }
        case .behind(let count):
            isBehind(count)
            _ = try await bringBack(context)
        case .fenced: break
        case nil: throw senseless()
        }
    }

    /// Whether the last call failed.
    var isFailing: Bool { state.withLock { $0.isFailing } }

    private func unavailable(_ reason: String) -> StreamUnavailable {
        StreamUnavailable(partition: key, reason: reason, wait: StreamStanding.pause, others: true)
    }

    private func keys(_ runID: String? = nil) -> [[UInt8]] {
        let keys = destination.keys
        let cursor = runID.map { [keys.cursor(of: index, runID: $0.isEmpty ? "none" : $0)] } ?? []
        return ([key, keys.writer(of: index)] + cursor).map { Array($0.utf8) }
    }

    private func send(_ entries: StreamEntries, of runID: String, _ context: BatchContext) async throws {
        // A server that is behind is brought what it lacks first; one that is promoted meanwhile, once more.
        for _ in 0..<3 {
            guard try await bringBack(context), let answer = try await answer(entries, of: runID, context) else {
                continue
            }
            let part = RecentAppends.Part(runID: runID, entries: entries, appended: answer.appended)
            return state.withLock { $0.isIn(part, now: SystemClock.read().monotonic) }
        }
        throw RedisError(.noNode, node: client.node(for: key), "its server is replaced again and again")
    }

    /// False where the server is behind still.
    private func bringBack(_ context: BatchContext) async throws -> Bool {
        guard state.withLock({ $0.isBehind }) else { return true }
        while let part = state.withLock({ $0.toBring }) {
            guard let answer = try await answer(part.entries, of: part.runID, context) else { return false }
            state.withLock { $0.brought(answer, now: SystemClock.read().monotonic) }
        }
        if let (missing, again) = state.withLock({ $0.wasBrought() }) {
            tell(self, .rolledBack(missing: missing, again: again))
        }
        return true
    }

    /// Nil where the server is behind.
    private func answer(
        _ entries: StreamEntries, of runID: String, _ context: BatchContext
    ) async throws -> StreamAppend.Answer? {
        // A process that was stopped meanwhile must not go on; a call on its way carries the token.
        guard context.isLeading, !Task.isCancelled else { throw CancellationError() }
        let (writer, known, timeout) = state.withLock { ($0.writer, $0.known, $0.timeout) }
        guard let writer else { throw CancellationError() }
        let reply = try await client.run(
            StreamScripts.append, keys: keys(runID),
            arguments: StreamAppend.arguments(writer, known: known, limit: destination.limit),
            rest: entries.words,
            timeout: timeout, replicas: destination.replicas)
        switch StreamAppend.outcome(reply, of: entries.count) {
        case .done(let answer):
            took(answer)
            return answer
        case .behind(let count):
            isBehind(count)
            return nil
        case .fenced: throw FencedOut()
        case nil: throw senseless()
        }
    }

    private func isBehind(_ count: UInt64) {
        if let missing = state.withLock({ $0.isBehind(count) }) { tell(self, .behind(missing: missing)) }
    }

    private func senseless() -> RedisError {
        RedisError(.protocolViolation, node: client.node(for: key), "the answer of the script makes no sense")
    }

    private func took(_ answer: StreamAppend.Answer) {
        state.withLock { $0.took(answer) }
        tell(self, .appended(answer))
    }
}
