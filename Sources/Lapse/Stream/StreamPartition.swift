import ExpirationStream
import LeaderElection
import Logging
import RESP
import RedisClient
import Synchronization
import Timing

/// One partition and its only writer here: calls go one after the other, so that a key's entries keep their order.
final class StreamPartition: Sendable {
    /// What is told of it.
    enum News: Sendable {
        case appended(StreamAppend.Answer)
        /// Nothing can be appended, or it can again.
        case trouble(RedisError?)
        /// Its server was promoted without the last entries: so many were brought again, of so many.
        case rolledBack(missing: UInt64, again: UInt64)
    }

    fileprivate struct State {
        var writer: StreamAppend.Writer?
        /// Entries that this term knows to have been appended.
        var known: UInt64 = 0
        var recent: RecentAppends
        /// Entries that a promoted server lacks, until all that is kept of them was brought.
        var missing: UInt64?
        var notBefore: Duration?
    }

    let key: String
    private let index: Int
    private let destination: StreamDestination
    private let client: KeyedClient
    private let tell: @Sendable (StreamPartition, News) -> Void
    private let turnstile = Turnstile()
    private let state: Mutex<State>

    /// A call of a partition that worked a moment ago, and of one that did not: the rest of a batch waits for it.
    private static let patience = Duration.seconds(2)
    private static let probe = Duration.milliseconds(250)
    private static let pause = Duration.seconds(1)

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
        state = Mutex(State(recent: RecentAppends(age: destination.retain, limit: share)))
    }

    /// Appends what the partition does not have.
    ///
    /// - Throws: `StreamUnavailable`, `FencedOut`, or `CancellationError` at the end of the term.
    func append(
        _ items: [StreamAppend.Item], of runID: String, as writer: StreamAppend.Writer, _ context: BatchContext
    ) async throws {
        try await turnstile.pass {
            let now = SystemClock.read().monotonic
            let pause = state.withLock { state in
                state.begin(writer)
                return state.notBefore.map { $0 - now }
            }
            if let pause, pause > .zero { throw unavailable("it did not answer a moment ago") }
            do {
                try await send(items, of: runID, context)
            } catch let error as RedisError {
                try Task.checkCancellation()
                state.withLock { $0.notBefore = SystemClock.read().monotonic + Self.pause }
                tell(self, .trouble(error))
                throw unavailable("\(error)")
            }
            if state.withLock({ $0.hasRecovered() }) { tell(self, .trouble(nil)) }
        }
    }

    /// Looks whether its server still has what was appended, and takes away what every group has acknowledged.
    ///
    /// - Parameter isTrimming: whether to do the latter even if nothing was appended lately.
    func keepUp(as writer: StreamAppend.Writer, isTrimming: Bool, _ context: BatchContext) async {
        await turnstile.pass {
            let now = SystemClock.read().monotonic
            let isDue = state.withLock { state in
                state.begin(writer)
                state.recent.forget(now: now)
                return (isTrimming || !state.recent.isEmpty) && state.notBefore.map { $0 <= now } ?? true
            }
            guard isDue, context.isLeading else { return }
            // What fails here fails when something is to be appended, and is told then.
            try? await bringBack(context)
            let known = state.withLock { $0.known }
            let reply = try? await client.run(
                StreamScripts.upkeep, keys: keys(), arguments: StreamAppend.upkeep(writer, known: known),
                timeout: Self.probe)
            switch reply.flatMap({ StreamAppend.outcome($0, of: 0) }) {
            case .done(let answer): took(answer)
            case .behind(let count):
                state.withLock { $0.isBehind(count) }
                try? await bringBack(context)
            case .fenced, nil: break
            }
        }
    }

    /// Whether the last call failed.
    var isFailing: Bool { state.withLock { $0.notBefore != nil } }

    private func unavailable(_ reason: String) -> StreamUnavailable {
        StreamUnavailable(partition: key, reason: reason, wait: Self.pause, others: true)
    }

    private func keys(_ runID: String? = nil) -> [[UInt8]] {
        let keys = destination.keys
        let cursor = runID.map { [keys.cursor(of: index, runID: $0.isEmpty ? "none" : $0)] } ?? []
        return ([key, keys.writer(of: index)] + cursor).map { Array($0.utf8) }
    }

    private func send(_ items: [StreamAppend.Item], of runID: String, _ context: BatchContext) async throws {
        // A server that is behind is brought what it lacks first; one that is promoted meanwhile, once more.
        for _ in 0..<3 {
            try await bringBack(context)
            guard try await answer(items, of: runID, context) != nil else { continue }
            let now = SystemClock.read().monotonic
            return state.withLock { $0.recent.add(.init(runID: runID, items: items), now: now) }
        }
        throw RedisError(.noNode, node: client.node(for: key), "its server is replaced again and again")
    }

    private func bringBack(_ context: BatchContext) async throws {
        guard let missing = state.withLock({ $0.missing }) else { return }
        var again: UInt64 = 0
        for part in state.withLock({ $0.recent.all }) {
            guard let answer = try await answer(part.items, of: part.runID, context) else { return }
            again += answer.appended
        }
        state.withLock { $0.missing = nil }
        tell(self, .rolledBack(missing: missing, again: again))
    }

    /// Nil where the server is behind.
    private func answer(
        _ items: [StreamAppend.Item], of runID: String, _ context: BatchContext
    ) async throws -> StreamAppend.Answer? {
        // A process that was stopped meanwhile must not go on; a call on its way carries the token.
        guard context.isLeading, !Task.isCancelled else { throw CancellationError() }
        let (writer, known, isFailing) = state.withLock { ($0.writer, $0.known, $0.notBefore != nil) }
        guard let writer else { throw CancellationError() }
        let reply = try await client.run(
            StreamScripts.append, keys: keys(runID),
            arguments: StreamAppend.arguments(writer, known: known, limit: destination.limit),
            rest: StreamAppend.rest(items),
            timeout: isFailing ? Self.probe : Self.patience, replicas: destination.replicas)
        switch StreamAppend.outcome(reply, of: items.count) {
        case .done(let answer):
            took(answer)
            return answer
        case .behind(let count):
            state.withLock { $0.isBehind(count) }
            return nil
        case .fenced: throw FencedOut()
        case nil:
            throw RedisError(
                .protocolViolation, node: client.node(for: key), "the answer of the script makes no sense")
        }
    }

    private func took(_ answer: StreamAppend.Answer) {
        state.withLock { $0.known = answer.before + answer.appended }
        tell(self, .appended(answer))
    }
}

extension StreamPartition.State {
    /// What another term knew says nothing.
    fileprivate mutating func begin(_ writer: StreamAppend.Writer) {
        guard self.writer != writer else { return }
        self.writer = writer
        known = 0
        missing = nil
        notBefore = nil
        recent.removeAll()
    }

    fileprivate mutating func isBehind(_ count: UInt64) {
        missing = (missing ?? 0) + (known > count ? known - count : 0)
        known = count
    }

    fileprivate mutating func hasRecovered() -> Bool {
        defer { notBefore = nil }
        return notBefore != nil
    }
}
