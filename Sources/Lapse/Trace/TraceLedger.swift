import Synchronization

/// What happens seldom and tells what became of an expiration: which replica led when, what failed,
/// what was lost. Bounded in number and length.
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
        /// Nil once it was let go.
        var found: [String: Progress]?
        /// The leader before, if that was seen.
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
        /// A leader that was seen once with a token of another one.
        var doubt: (leader: Leader, token: UInt64)?
        var terms: [OwnTerm] = []
        var failures: [Failed] = []
        var nextFailure = 0
        var losses: [Lost] = []
    }

    private let state = Mutex(Content())
    fileprivate static let leaderLimit = 64
    private static let termLimit = 8
    /// With their texts at most 1.5 MiB.
    private static let failureLimit = 4096
    private static let lossLimit = 256
    static let textLimit = 256
    /// What all terms keep of unfinished ordinals together; that of the present one is kept whole.
    fileprivate static let pendingLimit = 30_000

    package init() {}

    var content: Content { state.withLock { $0 } }

    /// Notes the leader, at each look.
    ///
    /// Name and token come from two places, and either may be ahead. So another name for a known token
    /// counts when it is seen twice with it, and no longer once there is a larger token.
    func saw(_ leader: Leader, token: UInt64) {
        guard token > 0 else { return }
        state.withLock { state in
            guard let known = state.leaders[token] else { return state.note(leader, token) }
            guard state.order.allSatisfy({ $0 <= token }), !state.terms.contains(where: { $0.token == token }) else {
                return
            }
            let isCertain =
                known.replica == leader.replica
                || state.doubt.map { $0.token == token && $0.leader.replica == leader.replica } ?? false
            state.doubt = isCertain ? nil : (leader, token)
            if isCertain { state.note(leader, token) }
        }
    }

    func began(term: UInt64, token: UInt64, id: String, found: [String: Progress], now: UInt64) {
        state.withLock { state in
            let before = state.order.max { $0 < $1 }.flatMap { $0 < token ? state.leaders[$0] : nil }
            state.terms.append(
                OwnTerm(term: term, token: token, began: now, ended: nil, found: found, before: before))
            if state.terms.count > Self.termLimit { state.terms.removeFirst() }
            state.boundPending()
            if token > 0 { state.note(Leader(replica: id, term: term), token) }
        }
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

extension TraceLedger.Content {
    fileprivate mutating func note(_ leader: TraceLedger.Leader, _ token: UInt64) {
        if leaders.updateValue(leader, forKey: token) == nil { order.append(token) }
        if order.count > TraceLedger.leaderLimit { leaders[order.removeFirst()] = nil }
    }

    /// The oldest go first: each term's list is its own copy.
    fileprivate mutating func boundPending() {
        var sum = 0
        for index in terms.indices.reversed() {
            sum += terms[index].found?.values.reduce(0) { $0 + $1.cursor.pending.count } ?? 0
            if sum > TraceLedger.pendingLimit, index < terms.index(before: terms.endIndex) { terms[index].found = nil }
        }
    }
}
