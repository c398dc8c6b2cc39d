package import LeaderElection
import Logging
import Synchronization
import Timing

/// A place where a batch handler runs: it takes a batch of a node and has it handled. Others do the
/// same with other nodes.
package struct BatchLane: Sendable {
    private let dependencies: Lane.Dependencies
    private let handler: BatchHandler
    private let limit: Int
    private let term: Term

    /// - Parameter limit: the most that the handler gets at once.
    package init(
        _ handler: @escaping BatchHandler, upTo limit: Int = NodeBatch.limit, dependencies: Lane.Dependencies,
        term: Term
    ) {
        self.handler = handler
        self.limit = limit
        self.dependencies = dependencies
        self.term = term
    }

    /// Handles expirations until the term ends.
    package func serve() async {
        await Deadline.rounds(dependencies.clock, timeout: dependencies.timeout) { await round($0) }
    }

    /// Returns true when the term is over, false when the handler overran.
    private func round(_ deadline: Deadline) async -> Bool {
        let dispatcher = dependencies.dispatcher
        let context = BatchContext(term, dependencies.logger)
        var done: NodeBatch.Done?
        while let batch = await dispatcher.nextBatch(after: done, upTo: limit) {
            done = nil
            let now = SystemClock.glance()
            switch LaneStep(
                leaseIsValid: term.lease.isValid(at: now),
                mustEnd: term.isDrainRequested || Task.isCancelled || deadline.hasPassed)
            {
            case .begin: done = await handle(batch, context, deadline, now.monotonic)
            case .wait:
                dispatcher.putDown(batch)
                _ = await dependencies.clock().wait(upTo: .milliseconds(50))
            case .leave:
                dispatcher.putDown(batch)
                return !deadline.hasPassed
            }
        }
        return true
    }

    private func handle(
        _ batch: NodeBatch, _ context: BatchContext, _ deadline: Deadline, _ began: Int64
    ) async -> NodeBatch.Done {
        if let care = dependencies.care, care.isNeeded { return await handleEach(of: batch, context, deadline, care) }
        let list = batch.deliveries
        deadline.start(began)
        let failures: [Int: any Error]
        do {
            failures = try await handler(ExpirationBatch(list), context).failures(in: list.indices)
        } catch {
            failures = BatchResult(handledUpTo: 0, of: list.count, error: error).failures
        }
        let took = SystemClock.glance().monotonic - began
        guard !failures.isEmpty else {
            deadline.end()
            dependencies.metrics.handled(list, in: took)
            return NodeBatch.Done(batch: batch, handled: [list.startIndex..<list.endIndex])
        }
        let overran = deadline.stop()
        let failed = failures.sorted { $0.key < $1.key }
        var handled: [Range<Int>] = []
        var next = 0
        for index in failed.map(\.key) + [list.count] {
            if index > next { handled.append(next..<index) }
            next = index + 1
        }
        for range in handled { dependencies.metrics.handled(list.part(range), in: took) }
        // What was handled counts first: it holds up none of its key.
        dependencies.dispatcher.finished(handled, of: batch)
        await fail(failed.map { (list[$0.key], $0.value) }, of: list.count, overran: overran)
        return NodeBatch.Done(batch: batch, handled: [])
    }

    /// One after the other, each noted before: of a batch nothing would tell over which of them a leader
    /// died.
    private func handleEach(
        of batch: NodeBatch, _ context: BatchContext, _ deadline: Deadline, _ care: CarefulHandling
    ) async -> NodeBatch.Done {
        let list = batch.deliveries
        var suspended = Suspended()
        // Keys of what was not handled: a later one of the batch must not overtake it.
        var held: Set<KeyHash> = []
        for index in list.indices {
            let delivery = list[index]
            guard suspended.left.isEmpty, !deadline.hasPassed else {
                suspended.leave(delivery)
                continue
            }
            guard !suspended.isAll, !held.contains(delivery.keyHash) else {
                suspended.keep(delivery)
                continue
            }
            switch await dependencies.mayBegin(delivery, care, term) {
            case .begin: break
            case .leave:
                suspended.leave(delivery)
                continue
            case .isSeenTo:
                held.insert(delivery.keyHash)
                continue
            }
            let began = SystemClock.glance().monotonic
            deadline.start(began)
            var failure: (any Error)?
            do {
                failure = try await handler(ExpirationBatch(list.part(index..<index + 1)), context).failures.values
                    .first
            } catch {
                failure = error
            }
            if let failure {
                let overran = deadline.stop()
                if await isCutShort([failure], overran: overran) {
                    suspended.leave(delivery)
                } else if overran || !suspended.take(delivery, failure) {
                    dependencies.failed(delivery, failure, overran: overran)
                }
                held.insert(delivery.keyHash)
            } else {
                deadline.end()
                dependencies.metrics.handled(list.part(index..<index + 1), in: SystemClock.glance().monotonic - began)
                dependencies.dispatcher.finished([index..<index + 1], of: batch)
            }
            care.ended(delivery)
        }
        await dependencies.suspend(suspended)
        return NodeBatch.Done(batch: batch, handled: [])
    }

    private func fail(_ failures: [(delivery: Delivery, error: any Error)], of count: Int, overran: Bool) async {
        guard await !isCutShort(failures.map(\.error), overran: overran) else {
            return dependencies.dispatcher.handBack { $0.giveBack(failures.map(\.delivery)) }
        }
        var suspended = Suspended()
        // What was not begun may wait, also where another of its batch took too long. A handler that is late
        // each time and has tried none would be called for ever.
        let isNoneTried = failures.count == count && failures.allSatisfy { Suspended.takes($0.error) }
        for (delivery, error) in failures where overran && isNoneTried || !suspended.take(delivery, error) {
            dependencies.failed(delivery, error, overran: overran)
        }
        await dependencies.suspend(suspended)
    }

    /// Whether the end of the term did it: then they stay pending for the next leader.
    private func isCutShort(_ errors: [any Error], overran: Bool) async -> Bool {
        guard !errors.contains(where: { $0 is FencedOut }) else {
            await dependencies.leave(term)
            return true
        }
        return !term.lease.isValid || !overran && Task.isCancelled
    }
}

extension BatchResult {
    /// Those of a batch with these indices.
    fileprivate func failures(in indices: Range<Int>) -> [Int: any Error] {
        guard let beyond = failures.keys.first(where: { !indices.contains($0) }) else { return failures }
        return BatchResult(handledUpTo: 0, of: indices.count, error: NoSuchIndex(index: beyond, count: indices.count))
            .failures
    }

    private struct NoSuchIndex: Error, CustomStringConvertible {
        let index: Int
        let count: Int
        var description: String { "the batch handler's result names \(index) of a batch of \(count), counted from 0" }
    }
}
