#if MySQL
import LeaderElection
import Synchronization

/// One row of a table: the only vote of its election.
final class TableRegister: LeaseRegister {
    let label: String
    private let server: String
    private let thread: DatabaseThread
    private let patience: Duration
    private let session: Mutex<DatabaseSession>

    init(
        label: String, server: String, thread: DatabaseThread, patience: Duration,
        session: consuming sending DatabaseSession
    ) {
        self.label = label
        self.server = server
        self.thread = thread
        self.patience = patience
        self.session = Mutex(session)
    }

    func acquire(_ claim: Claim) async throws(RegisterError) -> AcquireReply {
        try await perform(claim) { $0.acquire(claim) }
    }

    func confirm(_ claim: Claim, token: FencingToken, term: UInt64) async throws(RegisterError) -> Bool {
        try await perform(claim) { $0.confirm(claim, token: token.rawValue, term: term) }
    }

    func renew(_ claim: Claim, token: FencingToken, term: UInt64, heal: Bool) async throws(RegisterError)
        -> RenewReply
    {
        try await perform(claim) { $0.renew(claim, token: token.rawValue, term: term, heal: heal) }
    }

    /// There is nothing to wake: followers poll.
    func release(_ claim: Claim, wake: Bool) async throws(RegisterError) {
        _ = try await perform(claim, isUrgent: true) { $0.release(claim) }
    }

    func observe(_ name: String) async throws(RegisterError) -> Observation {
        try await perform(nil) { .answer($0.observation) }
    }

    /// Closes the connection; on the thread, after everything else.
    func disconnect() async {
        _ = try? await thread.run { .success(self.session.withLock { $0.client.disconnect() }) }
    }

    private func perform<Answer: Sendable>(
        _ claim: Claim?, isUrgent: Bool = false, _ decide: @escaping @Sendable (SeenRow) -> RowStep<Answer>
    ) async throws(RegisterError) -> Answer {
        try await thread.run(patience: isUrgent ? nil : patience) {
            // Only that thread ever locks it.
            self.session.withLock { session in
                do throws(DatabaseFailure) {
                    return .success(try session.perform(ttl: claim?.ttl, claim: claim, decide: decide))
                } catch {
                    return .failure(error.registerError(server: self.server))
                }
            }
        }
    }
}
#endif
