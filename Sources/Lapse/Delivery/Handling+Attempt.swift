package import LeaderElection
package import Logging
import Synchronization
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
    package func call(
        _ expiration: Expiration, term: UInt64, token: FencingToken, attempt: Int, logger: Logger,
        keys: KeyDisclosure = .full
    ) async throws {
        let round = LaneRound(Batch(expiration, attempt), EndlessTerms.make(term, token), logger, keys)
        try await ofOne(expiration, HandlerContext(round: round, index: 0))
    }

    /// The same of an entry of a stream.
    func call(
        _ expiration: Expiration, _ context: WorkContext, _ terms: EndlessTerms, keys: KeyDisclosure
    ) async throws {
        let term = terms.term(context.term, context.fencingToken)
        let round = LaneRound(Batch(expiration, context.attempt), term, context, keys)
        try await ofOne(expiration, HandlerContext(round: round, index: 0))
    }

    /// Runs a handler, and cancels it at the timeout.
    ///
    /// - Throws: the handler's error, or ``AttemptOverran`` when it has failed after the timeout. A handler
    ///   that ends well all the same has handled it.
    package static func unlessLate(
        _ timeout: Duration, _ body: @escaping @Sendable () async throws -> Void
    ) async throws {
        enum End { case handled, late, cancelled }
        try await withThrowingTaskGroup(of: End.self) { group in
            // Beside the timer, so that it can be cancelled.
            group.addTask {
                try await body()
                return .handled
            }
            // Cancelled when the handler has ended first.
            group.addTask {
                do { try await Task.sleep(for: timeout) } catch { return .cancelled }
                return .late
            }
            let first = try await group.next() ?? .handled
            group.cancelAll()
            guard first != .handled else { return }
            do {
                while let next = try await group.next() { if next == .handled { return } }
            } catch  where first == .late { throw AttemptOverran(timeout: timeout) }
        }
    }
}

extension Batch {
    /// One alone.
    fileprivate convenience init(_ expiration: Expiration, _ attempt: Int) {
        var deliveries = DeliveryList()
        deliveries.append(expiration.delivery.numbered(attempt))
        self.init(deliveries)
    }
}

/// Terms for what one worker handles outside of any. Keeps the last one: most entries of a stream are
/// of one term, and nothing ends it.
final class EndlessTerms: Sendable {
    private let latest = Mutex<Term?>(nil)

    func term(_ number: UInt64, _ token: FencingToken) -> Term {
        latest.withLock { latest in
            if let latest, latest.number == number, latest.token == token { return latest }
            let term = Self.make(number, token)
            latest = term
            return term
        }
    }

    fileprivate static func make(_ number: UInt64, _ token: FencingToken) -> Term {
        // A century: an end that cannot come and cannot overflow.
        let end = SystemClock.read().advanced(by: .seconds(3_155_760_000))
        return Term(
            number: number, token: token, lease: Lease(until: end),
            claim: Claim(name: "", id: "", value: ":", ttl: .zero, rules: ""))
    }
}
