package import LeaderElection
package import Logging
import Timing

/// An attempt took longer than it may.
package struct AttemptOverran: Error, CustomStringConvertible {
    let timeout: Duration

    package var description: String { "timed out after \(timeout)" }
}

extension Handling {
    /// One attempt outside of any term: no lease ends it, and nothing is kept about it.
    ///
    /// - Parameters:
    ///   - term: of the leader that had it before, whose `token` the handler gets.
    ///   - attempt: from 1.
    ///   - timeout: then the handler's task is cancelled and, when it has ended, ``AttemptOverran`` thrown. A handler that ends
    ///     well all the same has handled it.
    package func attempt(
        _ expiration: Expiration, term: UInt64, token: FencingToken, attempt: Int, timeout: Duration, logger: Logger
    ) async throws {
        var deliveries = DeliveryList()
        deliveries.append(expiration.delivery.numbered(attempt))
        let context = HandlerContext(
            round: LaneRound(Batch(deliveries), .withoutEnd(term, token), logger), index: 0)
        let handler = ofOne
        try await Self.unlessLate(timeout) { try await handler(expiration, context) }
    }

    /// Runs a handler, and cancels it at the timeout.
    package static func unlessLate(
        _ timeout: Duration, _ body: @escaping @Sendable () async throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            // Beside the timer, so that it can be cancelled.
            group.addTask {
                try await body()
                return true
            }
            // Cancelled when the handler has ended first.
            group.addTask {
                try await Task.sleep(for: timeout)
                return false
            }
            let endedFirst = try await group.next() ?? true
            group.cancelAll()
            guard !endedFirst else { return }
            do { _ = try await group.next() } catch { throw AttemptOverran(timeout: timeout) }
        }
    }
}

extension Term {
    /// For what is handled outside of a term.
    fileprivate static func withoutEnd(_ number: UInt64, _ token: FencingToken) -> Term {
        // A century: an end that cannot come and cannot overflow.
        let end = SystemClock.read().advanced(by: .seconds(3_155_760_000))
        return Term(
            number: number, token: token, lease: Lease(until: end),
            claim: Claim(name: "", id: "", value: ":", ttl: .zero, rules: ""))
    }
}
