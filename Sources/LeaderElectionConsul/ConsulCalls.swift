import FoundationEssentials
import LeaderElection
import NIOCore
import NIOHTTP1

/// The few calls an election needs.
extension AgentConnection {
    // MARK: Keys

    /// Both keys, as the leader of Consul's servers has them after it made sure that it still leads.
    func view(_ keys: ConsulKeys) async throws(RegisterError) -> ElectionView {
        try await view(keys, query: "consistent", patience: .zero).0
    }

    /// Both keys, once something changed after `index`, or when `wait` is over.
    func view(
        _ keys: ConsulKeys, after index: UInt64, wait: Duration
    ) async throws(RegisterError) -> (ElectionView, index: UInt64?) {
        // Consul adds up to a sixteenth to the time, so that waiters do not come back all at once.
        try await view(keys, query: "index=\(index)&wait=\(wait.milliseconds)ms", patience: wait * 1.1)
    }

    private func view(
        _ keys: ConsulKeys, query: String, patience: Duration
    ) async throws(RegisterError) -> (ElectionView, index: UInt64?) {
        let answer = try await ask(
            .GET, "kv/\(percentEncoded(keys.folder))?recurse&\(query)", patience: patience)
        let entries = answer.status == 404 ? [] : try decode([ElectionView.Entry].self, answer)
        return (ElectionView(keys: keys, entries: entries), answer.index)
    }

    enum TransactionResult: Sendable {
        /// The entries of the keys that were touched, in order.
        case done([ElectionView.Entry])
        case lockDelay
        case invalidSession
        /// A check failed, or another session holds a lock.
        case conflict
    }

    /// All of it or nothing, in one step.
    func transact(_ operations: [KeyOperation]) async throws(RegisterError) -> TransactionResult {
        let answer = try await ask(.PUT, "txn", body: try encode(operations.map(TransactionStep.init)))
        let outcome = try decode(TransactionOutcome.self, answer)
        guard answer.status == 409 else { return .done(outcome.results?.compactMap(\.entry) ?? []) }
        let failures = outcome.errors?.map(\.what) ?? []
        if let denied = failures.first(where: { $0.contains("Permission denied") || $0.contains("ACL not found") }) {
            throw .denied("Consul says \"\(denied)\": give a token that may write the keys of the election")
        }
        if failures.contains(where: { $0.contains("lock delay") }) { return .lockDelay }
        if failures.contains(where: { $0.contains("invalid session") }) { return .invalidSession }
        return .conflict
    }

    // MARK: Sessions

    /// A session named after the claim it is for. It never deletes keys: their index is the fencing token.
    func createSession(_ claim: Claim, ttl: Duration, lockDelay: Duration, checks: [String]) async throws(RegisterError)
        -> String
    {
        let wish = SessionWish(
            name: claim.value, ttl: "\(ttl.milliseconds)ms", lockDelay: "\(lockDelay.milliseconds)ms", checks: checks)
        return try decode(SessionAnswer.self, await ask(.PUT, "session/create", body: try encode(wish))).id
    }

    /// The sessions that were created for a claim, though their creation was never answered.
    func sessions(of claim: Claim) async throws(RegisterError) -> [String] {
        let all = try decode([SessionAnswer].self, await ask(.GET, "session/list?consistent"))
        return all.filter { $0.name == claim.value }.map(\.id)
    }

    /// Starts the TTL anew; false if there is no such session.
    func renewSession(_ id: String) async throws(RegisterError) -> Bool {
        try await ask(.PUT, "session/renew/\(id)").status != 404
    }

    func destroySession(_ id: String) async throws(RegisterError) {
        _ = try await ask(.PUT, "session/destroy/\(id)")
    }

    // MARK: JSON

    private func encode(_ value: some Encodable) throws(RegisterError) -> ByteBuffer {
        do { return ByteBuffer(bytes: try JSONEncoder().encode(value)) } catch {
            throw .unexpected("a request cannot be written: \(error)")
        }
    }

    private func decode<Value: Decodable>(_ type: Value.Type, _ answer: Answer) throws(RegisterError) -> Value {
        do { return try JSONDecoder().decode(type, from: Data(answer.body.readableBytesView)) } catch {
            throw .unexpected("the answer of Consul cannot be read: \(error)")
        }
    }
}

extension Duration {
    /// Whole milliseconds, rounded up: a TTL may be longer than wished, never shorter.
    var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
    }
}
