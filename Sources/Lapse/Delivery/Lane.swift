import FoundationEssentials
import LeaderElection
import Logging
import RedisClient
import Synchronization

/// One of the N places where handlers run: it takes expirations and handles them one after the other.
///
/// Lanes live as long as the term: starting a task for each expiration would cost more than everything else together.
/// A handler that overruns its timeout is cancelled by cancelling the round in which it runs; the lane then
/// begins the next round.
struct Lane: Sendable {
    /// What lanes share.
    struct Surroundings: Sendable {
        var dispatcher: Dispatcher
        var handler: ExpirationHandler
        var timeout: Duration
        var retries: RetryPolicy
        var deadLetters: DeadLetters
        var metrics: ProcessorMetrics
        var logger: Logger
        /// A resource has seen a newer token: this term is over, whatever the clock says.
        var fencedOut: @Sendable () -> Void
        /// The values of the expired keys; nil without companion rules.
        var companions: Companions?
        /// Keeps the handlers' deadlines.
        var clock: @Sendable () -> Doorbell
    }

    let around: Surroundings
    let term: Term

    /// Handles expirations until the term ends.
    func serve() async {
        while !Task.isCancelled {
            let deadline = Deadline(bell: around.clock(), timeout: around.timeout)
            let isOver = await withTaskGroup(of: Bool?.self) { round in
                round.addTask { await self.round(deadline) }
                round.addTask {
                    await deadline.passed()
                    return nil
                }
                var isOver = false
                for await ended in round {
                    isOver = ended ?? isOver
                    round.cancelAll()
                }
                return isOver
            }
            if isOver { return }
        }
    }

    /// Returns true when the term is over, false when a handler overran.
    private func round(_ deadline: Deadline) async -> Bool {
        batches: while true {
            let batch = await around.dispatcher.next()
            if batch.isEmpty { return true }
            // One reading ends a handler and lets the next one begin.
            var now = SystemClock.read()
            for (index, work) in batch.enumerated() {
                // The lease is asked before every handler: a process that was stopped meanwhile must not begin one.
                // What is not begun when the term shall end is the next leader's.
                switch LaneStep(
                    leaseIsValid: term.lease.isValid(at: now), mustEnd: term.isDrainRequested || Task.isCancelled)
                {
                case .begin: now = await handle(work, deadline, now)
                case .wait:
                    around.dispatcher.giveBack(batch[index...])
                    _ = await around.clock().wait(upTo: .milliseconds(50))
                    continue batches
                case .leave:
                    around.dispatcher.giveBack(batch[index...])
                    return !deadline.hasPassed
                }
            }
        }
    }

    /// Returns the time, read after everything that may take long.
    private func handle(_ work: Work, _ deadline: Deadline, _ now: ClockReading) async -> ClockReading {
        guard let companions = around.companions else {
            return await handle(work, value: nil, deadline, now.monotonic)
        }
        switch await companions.prepare(work) {
        case .ready(let value):
            // Reading the value took its time.
            let now = SystemClock.read()
            guard term.lease.isValid(at: now), !term.isDrainRequested, !Task.isCancelled else {
                around.dispatcher.giveBack([work])
                return now
            }
            return await handle(work, value: value, deadline, now.monotonic)
        case .groundless:
            around.dispatcher.finish(work)
            return SystemClock.read()
        case .later:
            let now = SystemClock.read()
            around.dispatcher.postpone(work, to: now.monotonic + .seconds(1))
            return now
        }
    }

    private func handle(_ work: Work, value: [UInt8]?, _ deadline: Deadline, _ began: Duration) async -> ClockReading {
        deadline.start(began)
        let failure = await attempt(work, value)
        let overran = deadline.stop()
        guard let failure else {
            if let value { await around.companions?.settle(work, value) }
            around.dispatcher.finish(work)
            let now = SystemClock.read()
            around.metrics.handled(work.origin, in: now.monotonic - began)
            return now
        }
        around.metrics.handlerTook(SystemClock.read().monotonic - began)
        guard term.lease.isValid, overran || !Task.isCancelled else {
            // Cut short by the end of the term: it stays pending for the next leader.
            around.dispatcher.giveBack([work])
            return SystemClock.read()
        }
        await failed(work, overran ? "timed out after \(around.timeout)" : failure)
        return SystemClock.read()
    }

    private func attempt(_ work: Work, _ value: [UInt8]?) async -> String? {
        let context = HandlerContext(
            fencingToken: term.token, term: term.number, work: work, plainLogger: around.logger, lease: term.lease)
        do {
            try await around.handler(work.expiration(value: value), context)
            return nil
        } catch is FencedOut {
            around.fencedOut()
            return "\(FencedOut())"
        } catch {
            return "\(error)"
        }
    }

    private func failed(_ work: Work, _ error: String) async {
        let metadata: Logger.Metadata = [
            "key": "\(work.key)", "node": "\(work.node)", "attempt": "\(work.attempt)", "error": "\(error)",
        ]
        around.logger.warning("handler failed", metadata: metadata)
        around.metrics.failed()
        if let wait = around.retries.wait(after: work.attempt, random: .random(in: 0..<1)) {
            around.metrics.retried()
            around.dispatcher.retry(work, at: SystemClock.read().monotonic + wait)
            return
        }
        guard await around.deadLetters.bury(work, error: error, term: term) else {
            // The stream is out of reach: better late than lost.
            around.dispatcher.retry(work, at: SystemClock.read().monotonic + .seconds(1))
            return
        }
        around.metrics.deadLettered()
        around.dispatcher.finish(work, as: .deadLettered)
    }
}

/// When the handler that runs in a lane must be finished. One timer serves many handlers.
private final class Deadline: Sendable {
    private struct State {
        var due: Duration?
        var hasPassed = false
    }

    private let bell: Doorbell
    private let timeout: Duration
    private let state = Mutex(State())

    init(bell: Doorbell, timeout: Duration) {
        self.bell = bell
        self.timeout = timeout
    }

    func start(_ now: Duration) { state.withLock { $0.due = now + timeout } }

    /// Whether it was too late.
    func stop() -> Bool {
        state.withLock { state in
            state.due = nil
            return state.hasPassed
        }
    }

    var hasPassed: Bool { state.withLock { $0.hasPassed } }

    /// Returns when a handler has overrun, or on cancellation.
    func passed() async {
        while !Task.isCancelled {
            let now = SystemClock.read().monotonic
            let left = state.withLock { state in
                guard let due = state.due else { return timeout }
                if due <= now { state.hasPassed = true }
                return due - now
            }
            if left <= .zero { return }
            // It has no ringer: handlers that end in time need no timer of their own.
            _ = await bell.wait(upTo: left)
        }
    }
}

extension Work {
    package func expiration(value: [UInt8]?) -> Expiration {
        Expiration(
            key: key, database: Int(database), node: node, position: Position(runID: runID, ordinal: ordinal),
            origin: origin, receivedAt: Date(timeIntervalSince1970: Double(receivedAt) / 1000), value: value)
    }
}
