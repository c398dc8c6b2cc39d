import LeaderElection
import Synchronization

/// The one register of an election over Consul: two keys, locked by one session.
///
/// Each grant and renewal rests on one moment, no earlier than its request, at which the session held
/// both locks (`SessionTimes` says why that is enough). A write is one transaction, which fails if the
/// keys changed since they were read.
struct ConsulLeaseRegister: LeaseRegister {
    let keys: ConsulKeys
    let configuration: ConsulConfiguration
    let connection: AgentConnection
    private let state = SharedState()

    init(keys: ConsulKeys, configuration: ConsulConfiguration, connection: AgentConnection) {
        self.keys = keys
        self.configuration = configuration
        self.connection = connection
    }

    private final class SharedState: Sendable {
        let ledger = Mutex(SessionLedger())
        let tries = Mutex(ClaimTries())
        let delay = Mutex(DelayEstimate())
    }

    /// Others' changes between reading and writing that are put up with, in one attempt.
    private static let attempts = 3

    var label: String {
        let agent = connection.agent
        return "\(agent.host):\(agent.port)/\(keys.lock)"
    }

    // MARK: Acquire

    func acquire(_ claim: Claim) async throws(RegisterError) -> AcquireReply {
        let times: SessionTimes
        do {
            times = try SessionTimes(
                claim, lockDelay: configuration.lockDelay, shortest: configuration.shortestSession)
        } catch {
            return .refused(reason: error.reason, retryAfter: nil)
        }
        guard let number = state.tries.withLock({ $0.begin(claim.value) }) else {
            return .refused(reason: "the session of the claim's earlier try is being ended", retryAfter: nil)
        }
        for _ in 0..<Self.attempts {
            let view = try await connection.view(keys)
            switch view.stand(of: claim, session: openSession(of: claim)) {
            case .mine(let session):
                // A retry. The view says that the claim held just now; the TTL still has to start anew.
                guard adopt(session, for: claim) == session, let lock = view.lock,
                    try await connection.renewSession(session)
                else { continue }
                return .granted(Vote(counter: lock.modifyIndex, term: view.record.term))
            case .held(let holder):
                await dropSession(of: claim, after: number)
                return .held(by: holder, ttl: nil)
            case .mismatch(let rules):
                await dropSession(of: claim, after: number)
                return .mismatch(rules: rules)
            case .halfHeld:
                await dropSession(of: claim, after: number)
                return .refused(
                    reason: "\(keys.lock) was deleted, and the session of its holder has not ended yet",
                    retryAfter: .seconds(1))
            case .free: break
            }
            let session = try await session(for: claim, times)
            switch try await connection.transact(view.taking(claim, session: session)) {
            case .done(let entries):
                guard let lock = entries.last(where: { $0.key == keys.lock }) else {
                    throw .unexpected("Consul does not say what it locked")
                }
                return .granted(Vote(counter: lock.modifyIndex, term: view.record.term))
            case .lockDelay:
                await dropSession(of: claim, after: number)
                let now = ContinuousClock.now
                let wait = state.delay.withLock { delay in
                    delay.sawFree(index: view.lock?.modifyIndex ?? 0, at: now)
                    return delay.retryAfter(times.lockDelay, at: now)
                }
                return .refused(reason: "Consul's lock delay runs", retryAfter: wait)
            case .invalidSession:
                forget(session, of: claim)
            case .conflict: break
            }
        }
        await dropSession(of: claim, after: number)
        return .refused(reason: "others keep changing \(keys.folder)", retryAfter: nil)
    }

    // MARK: Confirm and renew

    func confirm(_ claim: Claim, token: FencingToken, term: UInt64) async throws(RegisterError) -> Bool {
        let view = try await connection.view(keys)
        guard let session = session(of: claim, in: view), view.isHeld(by: session) else { return false }
        return try await raise(view, session: session, token: token, term: term)
    }

    func renew(_ claim: Claim, token: FencingToken, term: UInt64, heal: Bool) async throws(RegisterError) -> RenewReply
    {
        var known = openSession(of: claim)
        if known == nil { known = session(of: claim, in: try await connection.view(keys)) }
        guard let session = known, try await connection.renewSession(session) else {
            forget(known, of: claim)
            return try await lost(claim, token: token, term: term, heal: heal)
        }
        // Only now is it known whether the session, which lives, still holds the locks.
        let view = try await connection.view(keys)
        guard view.isHeld(by: session), try await raise(view, session: session, token: token, term: term) else {
            return try await lost(claim, token: token, term: term, heal: heal)
        }
        return .renewed
    }

    private func lost(
        _ claim: Claim, token: FencingToken, term: UInt64, heal: Bool
    ) async throws(RegisterError) -> RenewReply {
        if heal, case .granted = try await acquire(claim), try await confirm(claim, token: token, term: term) {
            return .renewed
        }
        return .lost(holder: try await connection.view(keys).holder)
    }

    /// Only the holder writes the term's key, so what was read while it held is what stands there.
    private func raise(
        _ view: ElectionView, session: String, token: FencingToken, term: UInt64
    ) async throws(RegisterError) -> Bool {
        var record = view.record
        record.term = max(record.term, term)
        record.token = max(record.token, token.rawValue)
        if record == view.record { return true }
        if case .done = try await connection.transact(view.raising(to: record, session: session)) { return true }
        return false
    }

    // MARK: Release

    /// First the locks, then the session: the end of a session that holds a lock would start the lock
    /// delay.
    func release(_ claim: Claim, wake: Bool) async throws(RegisterError) {
        for _ in 0..<Self.attempts {
            let view = try await connection.view(keys)
            var known = session(of: claim, in: view)
            if known == nil { known = try await sessionAskedFor(claim) }
            guard let session = known else { return }
            let operations = view.releasing(session: session)
            if !operations.isEmpty {
                guard case .done = try await connection.transact(operations) else { continue }
            }
            try await connection.destroySession(session)
            forget(session, of: claim)
            return
        }
        throw .unreachable("others keep changing \(keys.folder)")
    }

    func observe(_ name: String) async throws(RegisterError) -> Observation {
        let view = try await connection.view(keys)
        let held = view.lock?.session == nil ? 0 : view.lock?.modifyIndex ?? 0
        return Observation(
            holder: view.holder, ttl: nil, term: view.record.term,
            token: FencingToken(rawValue: max(view.record.token, held)))
    }

    // MARK: Sessions

    private func openSession(of claim: Claim) -> String? { state.ledger.withLock { $0.opened(by: claim.value) } }

    private func adopt(_ session: String, for claim: Claim) -> String {
        state.ledger.withLock { $0.adopt(session, for: claim.value) }
    }

    private func forget(_ session: String?, of claim: Claim) {
        state.ledger.withLock { $0.forget(session, of: claim.value) }
    }

    /// The session of a claim, also of one that was made through another store.
    private func session(of claim: Claim, in view: ElectionView) -> String? {
        openSession(of: claim) ?? (view.holding?.claim == claim.value ? view.lock?.session : nil)
    }

    /// The claim's session: the one it has, one whose creation was not answered, or a new one.
    private func session(for claim: Claim, _ times: SessionTimes) async throws(RegisterError) -> String {
        if let session = try await ownSession(of: claim) { return session }
        guard state.ledger.withLock({ $0.ask(claim.value) }) else { return try await session(for: claim, times) }
        let made = try await connection.createSession(
            claim, ttl: times.ttl, lockDelay: times.lockDelay, checks: configuration.checks)
        let own = adopt(made, for: claim)
        if own != made { try? await connection.destroySession(made) }
        return own
    }

    private func sessionAskedFor(_ claim: Claim) async throws(RegisterError) -> String? {
        guard state.ledger.withLock({ $0[claim.value] }) == .asked else { return nil }
        let found = try await connection.sessions(of: claim)
        guard let first = found.first else { return nil }
        let own = adopt(first, for: claim)
        // Each request that went unanswered may have made one.
        for session in found where session != own { try await connection.destroySession(session) }
        return own
    }

    /// The session that the claim has, as far as this store knows or can find out.
    private func ownSession(of claim: Claim) async throws(RegisterError) -> String? {
        if let session = openSession(of: claim) { return session }
        return try await sessionAskedFor(claim)
    }

    /// Ends the session of a claim that got no vote, so that attempts leave none behind. Should that fail,
    /// its TTL ends it, and the next try makes another.
    private func dropSession(of claim: Claim, after number: UInt64) async {
        // A later try may lead by now, with the same session.
        guard state.tries.withLock({ $0.giveUp(claim.value, after: number) }) else { return }
        let session = try? await ownSession(of: claim)
        if let session { try? await connection.destroySession(session) }
        forget(session, of: claim)
        state.tries.withLock { $0.ended(claim.value) }
    }
}
