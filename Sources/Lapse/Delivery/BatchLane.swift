package import LeaderElection
import Logging
import Synchronization
import Timing

/// The place where a batch handler runs: it takes what there is and has it handled, one node's batch after the other.
///
/// It is alone, so the order of each node needs no lock: no two batches are on their way at once.
package struct BatchLane: Sendable {
    private let dependencies: Lane.Dependencies
    private let handler: BatchHandler
    private let term: Term

    package init(_ handler: @escaping BatchHandler, dependencies: Lane.Dependencies, term: Term) {
        self.handler = handler
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
        while let batch = await dispatcher.next(0, .ofBatches) {
            var next = 0
            stretches: while next < batch.deliveries.count {
                let now = SystemClock.glance()
                switch LaneStep(
                    leaseIsValid: term.lease.isValid(at: now),
                    mustEnd: term.isDrainRequested || Task.isCancelled || deadline.hasPassed)
                {
                case .begin:
                    let stretch = next..<batch.deliveries.endOfNode(next)
                    batch.begin(upTo: stretch.upperBound)
                    await handle(stretch, of: batch, context, deadline, now.monotonic)
                    next = stretch.upperBound
                case .wait:
                    dispatcher.putDown(0)
                    _ = await dependencies.clock().wait(upTo: .milliseconds(50))
                    break stretches
                case .leave:
                    dispatcher.putDown(0)
                    return !deadline.hasPassed
                }
            }
        }
        return true
    }

    private func handle(
        _ stretch: Range<Int>, of batch: Batch, _ context: BatchContext, _ deadline: Deadline, _ began: Int64
    ) async {
        let part = batch.deliveries.part(stretch)
        deadline.start(began)
        let failures: [Int: any Error]
        do {
            failures = try await handler(ExpirationBatch(part), context).failures(in: part.indices)
        } catch {
            failures = BatchResult(handledUpTo: 0, of: part.count, error: error).failures
        }
        let took = SystemClock.glance().monotonic - began
        guard !failures.isEmpty else {
            deadline.end()
            batch.finish(stretch)
            return dependencies.metrics.handled(part, in: took)
        }
        let overran = deadline.stop()
        let failed = failures.sorted { $0.key < $1.key }
        var handled = 0
        for index in failed.map(\.key) + [part.count] {
            if index > handled {
                batch.finish(stretch.lowerBound + handled..<stretch.lowerBound + index)
                dependencies.metrics.handled(part.part(handled..<index), in: took)
            }
            handled = index + 1
        }
        // What was handled counts first: it holds up none of its key.
        dependencies.dispatcher.update { _ in }
        fail(failed.map { (part[$0.key], $0.value) }, overran: overran)
    }

    private func fail(_ failures: [(delivery: Delivery, error: any Error)], overran: Bool) {
        if failures.contains(where: { $0.error is FencedOut }) { dependencies.fencedOut() }
        guard term.lease.isValid, overran || !Task.isCancelled else {
            // Cut short by the end of the term: they stay pending for the next leader.
            return dependencies.dispatcher.handBack { $0.giveBack(failures.map(\.delivery)) }
        }
        for (delivery, error) in failures {
            dependencies.failed(
                delivery,
                overran
                    ? "timed out after \(dependencies.timeout)" : "\(error)".cut(toBytes: DeadLetters.errorLimit))
        }
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
