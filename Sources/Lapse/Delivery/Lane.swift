import FoundationEssentials
package import LeaderElection
package import Logging
package import NIOCore
import RedisClient
import Synchronization
import Timing

/// One of the N places where handlers run, one expiration after the other. A lane lives as long as the
/// term: a task for each expiration would cost more than everything else together.
///
/// A handler that overruns its timeout is cancelled with the round in which it runs; the lane then
/// begins the next round.
package struct Lane: Sendable {
    /// What lanes share.
    package struct Dependencies: Sendable {
        var dispatcher: Dispatcher
        var handler: Handling
        var timeout: Duration
        var retries: RetryPolicy
        var deadLetters: DeadLetters
        var metrics: ProcessorMetrics
        var logger: Logger
        /// A resource has seen a newer token: this term is over, whatever the clock says.
        var fencedOut: @Sendable () -> Void
        /// The values of the expired keys; nil without companion rules.
        var companions: Companions?
        /// Notes what is begun, after leaders have died one after the other; nil mostly.
        var care: CarefulHandling?
        /// Keeps the handlers' deadlines.
        var clock: @Sendable () -> Doorbell
        var keys = KeyDisclosure.full
    }

    private let number: Int
    private let dependencies: Dependencies
    private let handler: ExpirationHandler
    private let term: Term

    package init(_ number: Int, dependencies: Dependencies, term: Term) {
        self.number = number
        handler = dependencies.handler.ofOne
        self.dependencies = dependencies
        self.term = term
    }

    /// Handles expirations until the term ends.
    package func serve() async {
        await Deadline.rounds(dependencies.clock, timeout: dependencies.timeout) { await round($0) }
    }

    /// Returns true when the term is over, false when a handler overran.
    private func round(_ deadline: Deadline) async -> Bool {
        var pace = Pace()
        while let batch = await dependencies.dispatcher.next(number, pace) {
            // One reading ends a handler and lets the next one begin.
            var now = SystemClock.glance()
            let isCancelled = Task.isCancelled
            let round = LaneRound(batch, term, dependencies.logger, dependencies.keys)
            handlers: while batch.hasMore {
                // The lease is asked before every handler: a process that was stopped meanwhile must not begin one.
                // What is not begun when the term shall end is the next leader's.
                switch LaneStep(
                    leaseIsValid: term.lease.isValid(at: now),
                    mustEnd: term.isDrainRequested || isCancelled || deadline.hasPassed)
                {
                case .begin:
                    guard let index = batch.begin() else { break handlers }
                    let began = now.monotonic
                    if let companions = dependencies.companions {
                        now = await prepareAndHandle(companions, round, index, deadline)
                    } else if let care = dependencies.care, care.isNeeded {
                        now = await handle(round, index, batch.deliveries.expiration(index), deadline, care)
                    } else {
                        now = await call(round, index, batch.deliveries.expiration(index), deadline, began)
                    }
                    pace.took(now.monotonic - began)
                    // Others may go on with what this one would keep waiting.
                    if !pace.isQuick { break handlers }
                case .wait:
                    dependencies.dispatcher.putDown(number)
                    _ = await dependencies.clock().wait(upTo: .milliseconds(50))
                    break handlers
                case .leave:
                    dependencies.dispatcher.putDown(number)
                    return !deadline.hasPassed
                }
            }
            if !pace.isQuick, batch.hasMore { dependencies.dispatcher.putDown(number) }
        }
        return true
    }

    /// Returns the time, read after everything that may take long.
    private func prepareAndHandle(
        _ companions: Companions, _ round: LaneRound, _ index: Int, _ deadline: Deadline
    ) async -> ClockGlance {
        let delivery = round.batch.deliveries[index]
        switch await companions.prepare(delivery) {
        case .ready(let value):
            let now = SystemClock.glance()
            guard term.lease.isValid(at: now), !term.isDrainRequested, !Task.isCancelled else {
                dependencies.dispatcher.handBack { $0.giveBack([delivery]) }
                return now
            }
            let expiration = delivery.expiration(with: value)
            if let care = dependencies.care, care.isNeeded {
                return await handle(round, index, expiration, deadline, care)
            }
            return await call(round, index, expiration, deadline, now.monotonic)
        case .groundless:
            dependencies.dispatcher.handBack { $0.finish(delivery) }
        case .later:
            let due = SystemClock.read().monotonic + .seconds(1)
            dependencies.dispatcher.handBack { $0.postpone(delivery, to: due) }
        }
        return SystemClock.glance()
    }

    /// A careful leader notes it before.
    private func handle(
        _ round: LaneRound, _ index: Int, _ expiration: Expiration, _ deadline: Deadline, _ care: CarefulHandling
    ) async -> ClockGlance {
        let delivery = round.batch.deliveries[index]
        switch await dependencies.mayBegin(delivery, care, term) {
        case .begin:
            let now = await call(round, index, expiration, deadline, SystemClock.glance().monotonic)
            care.ended(delivery)
            return now
        case .leave: dependencies.dispatcher.handBack { $0.giveBack([delivery]) }
        case .isSeenTo: break
        }
        return SystemClock.glance()
    }

    // Inlined: each asynchronous call costs as much as all else that is done for a handler that ends at
    // once.
    @inline(__always)
    private func call(
        _ round: LaneRound, _ index: Int, _ expiration: Expiration, _ deadline: Deadline, _ began: Int64
    ) async -> ClockGlance {
        deadline.start(began)
        do {
            try await handler(expiration, HandlerContext(round: round, index: index))
        } catch {
            return await failed(round.batch.deliveries[index], error, overran: deadline.stop(), began)
        }
        deadline.end()
        if let value = expiration.value { await dependencies.companions?.settle(round.batch.deliveries[index], value) }
        dependencies.dispatcher.finished(index, of: round.batch)
        let now = SystemClock.glance()
        dependencies.metrics.handled(expiration, in: now.monotonic - began, wall: now.wall)
        return now
    }

    private func failed(_ delivery: Delivery, _ error: any Error, overran: Bool, _ began: Int64) async -> ClockGlance {
        dependencies.metrics.handlerTook(SystemClock.glance().monotonic - began)
        let isFenced = error is FencedOut
        if isFenced { await dependencies.leave(term) }
        guard !isFenced, term.lease.isValid, overran || !Task.isCancelled else {
            // Cut short by the end of the term: it stays pending for the next leader.
            dependencies.dispatcher.handBack { $0.giveBack([delivery]) }
            return SystemClock.glance()
        }
        var suspended = Suspended()
        if overran || !suspended.take(delivery, error) {
            dependencies.failed(delivery, error, overran: overran)
        } else {
            await dependencies.suspend(suspended)
        }
        return SystemClock.glance()
    }
}

extension Lane.Dependencies {
    /// A handler has failed with one: it is tried again, or for the last time it was.
    func failed(_ delivery: Delivery, _ reason: any Error, overran: Bool) {
        let error = overran ? "timed out after \(timeout)" : "\(reason)".cut(toBytes: DeadLetterRecord.errorLimit)
        let advice = overran ? .asConfigured : (reason as? any AdvisesOnAttempts)?.anotherAttempt ?? .asConfigured
        let metadata: Logger.Metadata = [
            "key": "\(keys.text(delivery.key))", "node": "\(delivery.node)",
            "attempt": .stringConvertible(delivery.attempt),
            "error": "\(error)",
        ]
        logger.warning("handler failed", metadata: metadata)
        metrics.failed(delivery, error)
        guard advice != .pointless, var wait = retries.wait(after: delivery.attempt, random: .random(in: 0..<1)) else {
            return bury(delivery, error)
        }
        if case .notBefore(let least) = advice { wait = max(wait, least) }
        let due = SystemClock.read().monotonic + wait
        if dispatcher.handBack({ $0.retry(delivery, at: due) }) {
            metrics.retried()
        } else {
            bury(delivery, "\(error) (not tried again: too many wait for that)")
        }
    }

    /// A resource has seen a later leader: what the lane has is that one's. This term ends in a moment;
    /// until then the same is not to be begun over and over.
    func leave(_ term: Term) async {
        if !term.isDrainRequested {
            logger.warning(
                "a resource has seen a later term: this one ends",
                metadata: ["term": .stringConvertible(term.number), "token": "\(term.token)"])
        }
        fencedOut()
        _ = await clock().wait(upTo: .milliseconds(50))
    }

    private func bury(_ delivery: Delivery, _ error: String) {
        // Until it lies there, those of its key that come later wait.
        let delivery = dispatcher.handBack { $0.hold(delivery) } ?? delivery
        if deadLetters.bury(delivery, error: error) { buried(delivery) }
    }

    /// Whether a careful leader may begin it now.
    func mayBegin(_ delivery: Delivery, _ care: CarefulHandling, _ term: Term) async -> CarefulStep {
        switch await care.begin(delivery) {
        case .begin:
            // The note took its time.
            if term.lease.isValid, !term.isDrainRequested, !Task.isCancelled { return .begin }
            care.leave(delivery)
            return .leave
        case .over: return .leave
        case .later:
            let due = SystemClock.read().monotonic + CarefulHandling.patience
            guard dispatcher.handBack({ $0.suspend([delivery], to: due) }).isEmpty else {
                _ = await clock().wait(upTo: CarefulHandling.patience)
                return .leave
            }
        case .condemned(let deaths):
            logger.error(
                "leaders died over it: it is not handled again",
                metadata: [
                    "key": "\(keys.text(delivery.key))", "node": "\(delivery.node)",
                    "deaths": .stringConvertible(deaths),
                ])
            bury(delivery, "\(deaths) leaders died while it was handled")
        }
        return .isSeenTo
    }

    /// The dead letters have it, and its key may go on.
    func buried(_ delivery: Delivery) {
        metrics.deadLettered(delivery)
        handler.buried?(delivery.expiration)
        dispatcher.handBack { $0.finish(delivery, as: .deadLettered) }
        care?.ended(delivery)
    }

    /// Writes the dead letters of a term until cancelled.
    func writeDeadLetters(_ term: Term) async {
        await deadLetters.run(
            term,
            .init(buried: { buried($0) }, givenBack: { delivery in dispatcher.handBack { $0.giveBack([delivery]) } }))
    }

    /// Without companions, retries and metrics' readers.
    package init(
        dispatcher: Dispatcher, timeout: Duration, logger: Logger, clock: any EventLoop,
        handler: @escaping ExpirationHandler
    ) {
        self.init(
            dispatcher: dispatcher, handler: .one(handler), timeout: timeout, retries: RetryPolicy(retries: 0),
            deadLetters: DeadLetters(stream: nil, logger: logger, bell: Doorbell(on: clock)),
            metrics: ProcessorMetrics(), logger: logger,
            fencedOut: {}, companions: nil, care: nil, clock: { Doorbell(on: clock) })
    }
}
