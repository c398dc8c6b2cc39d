import Synchronization

/// What happens seldom and tells what became of an expiration: who led when, what failed, what was lost. Bounded in number and length.
package final class TraceLedger: Sendable {
    /// A leader, as far as a replica saw it.
    struct Leader: Sendable, Equatable {
        var replica: String
        var term: UInt64
    }

    /// A term of this replica, and what it found.
    struct OwnTerm: Sendable {
        var term: UInt64
        var token: UInt64
        /// Milliseconds since 1970.
        var began: UInt64
        var ended: UInt64?
        var found: [String: Progress]
        /// Who led before, if that was seen.
        var before: Leader?
    }

    struct Failed: Sendable {
        enum Kind: Sendable { case failed, deadLettered }
        var kind: Kind
        var process: NodeProcess
        var ordinal: UInt64
        var attempt: Int
        var error: String
        var token: UInt64
        var at: UInt64
    }

    struct Lost: Sendable {
        var node: String
        var runID: String
        var first: UInt64
        var last: UInt64
        var lost: UInt64
        var cause: String
        var at: UInt64
    }

    struct Content: Sendable {
        var leaders: [UInt64: Leader] = [:]
        var order: [UInt64] = []
        var terms: [OwnTerm] = []
        var failures: [Failed] = []
        var nextFailure = 0
        var losses: [Lost] = []
    }

    private let state = Mutex(Content())
    private static let leaderLimit = 64
    private static let termLimit = 8
    /// With their texts at most 1.5 MiB.
    private static let failureLimit = 4096
    private static let lossLimit = 256
    static let textLimit = 256
    /// What the terms before the present one keep of what they found.
    private static let pendingLimit = 100_000

    package init() {}

    var content: Content { state.withLock { $0 } }

    /// Who leads, as often as it is looked at.
    func saw(_ leader: Leader, token: UInt64) {
        guard token > 0 else { return }
        state.withLock { state in
            if state.leaders.updateValue(leader, forKey: token) == nil { state.order.append(token) }
            if state.order.count > Self.leaderLimit { state.leaders[state.order.removeFirst()] = nil }
        }
    }

    func began(term: UInt64, token: UInt64, id: String, found: [String: Progress], now: UInt64) {
        state.withLock { state in
            let before = state.order.max { $0 < $1 }.flatMap { $0 < token ? state.leaders[$0] : nil }
            state.terms.append(
                OwnTerm(term: term, token: token, began: now, ended: nil, found: found, before: before))
            if state.terms.count > Self.termLimit { state.terms.removeFirst() }
            for index in state.terms.indices.dropLast()
            where state.terms[index].found.values.reduce(0, { $0 + $1.cursor.pending.count }) > Self.pendingLimit {
                state.terms[index].found = [:]
            }
        }
        saw(Leader(replica: id, term: term), token: token)
    }

    func ended(token: UInt64, now: UInt64) {
        state.withLock { state in
            guard let index = state.terms.lastIndex(where: { $0.token == token }) else { return }
            state.terms[index].ended = now
        }
    }

    func failed(_ kind: Failed.Kind, _ delivery: Delivery, _ error: String, now: UInt64) {
        guard delivery.hasPosition else { return }
        state.withLock { state in
            let failed = Failed(
                kind: kind, process: delivery.slice.process, ordinal: delivery.ordinal, attempt: delivery.attempt,
                error: error.cut(toBytes: Self.textLimit), token: state.terms.last?.token ?? 0, at: now)
            if state.failures.count < Self.failureLimit {
                state.failures.append(failed)
            } else {
                state.failures[state.nextFailure] = failed
                state.nextFailure = (state.nextFailure + 1) % Self.failureLimit
            }
        }
    }

    func lost(_ gap: Gap, _ cause: String, now: UInt64) {
        guard gap.lost > 0 else { return }
        state.withLock { state in
            state.losses.append(
                Lost(
                    node: gap.node, runID: gap.runID, first: gap.ordinals.lowerBound, last: gap.ordinals.upperBound,
                    lost: gap.lost, cause: cause, at: now))
            if state.losses.count > Self.lossLimit { state.losses.removeFirst() }
        }
    }
}
