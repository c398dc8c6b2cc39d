/// One place that votes on the lease: a lock key in one slot, a server of its own, a row, a key of
/// another store.
///
/// Every operation must be **one atomic step** on the register, must be safe to repeat, and must return
/// promptly when its task is cancelled. It need not keep a deadline of its own: the elector stops
/// counting on an answer after `LeaseTiming.operationTimeout`, yet still wants to hear a late one, to
/// give a late vote back. A register that cannot answer (unreachable, moving, loading) throws: that is
/// no vote.
public protocol LeaseRegister: Sendable {
    /// Names the register in logs and metrics, such as `10.0.0.1:6379/{lapse-12}:sessions:lock`.
    var label: String { get }

    /// Votes for `claim` if the register is free, for `claim.ttl` from now.
    ///
    /// If the register holds `claim.value` already (a retry whose first answer was lost) it grants again
    /// and starts the TTL anew. A server that has run for less than the TTL refuses: it may have forgotten
    /// a vote. Each new vote raises the register's counter, which is never deleted; should it be lost all
    /// the same, it must restart above every old value (a counter that is at least the server's time does).
    /// The rules beside the lock must lapse with the lock, or they could never be changed.
    func acquire(_ claim: Claim) async throws(RegisterError) -> AcquireReply

    /// Raises the register's counter to at least `token` and its term to at least `term`, if it still holds
    /// `claim.value`, and starts the TTL anew; answers whether it does. A leader leads only after a
    /// majority confirmed: any later majority shares a register with it, so every later token is larger. A
    /// register that holds another claim may raise its counter too.
    func confirm(_ claim: Claim, token: FencingToken, term: UInt64) async throws(RegisterError) -> Bool

    /// Starts the TTL of `claim.value` anew, if the register still holds it, and repeats `confirm`.
    ///
    /// With `heal`, a register that holds nothing takes the claim again (and the token). The elector heals
    /// only after the other registers have shown in the same round that the majority is still held, and the
    /// age of the server is no reason to refuse then.
    func renew(_ claim: Claim, token: FencingToken, term: UInt64, heal: Bool) async throws(RegisterError)
        -> RenewReply

    /// Deletes `claim.value` if the register holds it, and nothing otherwise. With `wake`, followers are
    /// told, in the same step, that the register is free (only if something was deleted).
    func release(_ claim: Claim, wake: Bool) async throws(RegisterError)

    /// What the register knows of the election, without taking part in it. A register that does not answer
    /// throws; one that has never heard of the election answers with nils and zeros.
    func observe(_ name: String) async throws(RegisterError) -> Observation
}

/// N registers and the means to be woken: all that an ``Elector`` knows about where it votes.
public protocol LeaseStore: Sendable {
    /// The registers, in an order that is the same in every replica. Their number is configuration, is odd,
    /// and never changes: the majority is counted from it, not from those that can be reached.
    var registers: [any LeaseRegister] { get }

    /// What the store can do.
    var capabilities: StoreCapabilities { get }

    /// What the replicas must agree on besides the lease's length and the number of registers: how keys are
    /// named.
    var naming: String { get }

    /// On how many independent servers the registers sit now, if known. Below `registers.count` one failure
    /// costs more than one vote.
    var failureDomains: Int? { get }

    /// Signals that the lease may have become free, or may have been lost. They may be lost, late, doubled
    /// or wrong: they only make the elector look sooner.
    ///
    /// Called once per elector, which reads until its run ends and then cancels the task that reads. One
    /// signal is enough to buffer, the newest: a second says no more. After an earlier end of the stream no
    /// signal comes.
    func wakeUps() -> AsyncStream<WakeUp>

    /// What the store has to do all the time, such as listening. The elector runs it in a task of its own
    /// until the election is over, and cancels it then; it must return promptly.
    func run() async

    /// Closes what the store has open. Called once, perhaps in a task that is cancelled, by the program
    /// that made the store, after the elector's `run` returned; a processor calls it for the store that it
    /// was given.
    func shutDown() async
}

extension LeaseStore {
    /// Unknown.
    public var failureDomains: Int? { nil }

    /// Nothing to do.
    public func run() async {}

    /// Nothing to close.
    public func shutDown() async {}

    /// None: followers poll.
    public func wakeUps() -> AsyncStream<WakeUp> {
        AsyncStream { $0.finish() }
    }
}

/// What a store can do, beyond voting.
public struct StoreCapabilities: OptionSet, Sendable, Hashable {
    /// One bit for each capability.
    public let rawValue: UInt8

    /// The capabilities of these bits.
    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// Its tokens grow strictly, so that a resource can reject an old leader.
    public static let fencing = StoreCapabilities(rawValue: 1 << 0)
    /// Leases end by the server's clock, never by a client's.
    public static let serverTime = StoreCapabilities(rawValue: 1 << 1)
    /// It sends wake-ups; without, followers poll.
    public static let push = StoreCapabilities(rawValue: 1 << 2)
    /// One register is itself a replicated, linearizable store.
    public static let linearizable = StoreCapabilities(rawValue: 1 << 3)
}

/// Why a store wakes the elector.
public enum WakeUp: Sendable, Hashable {
    /// The leader gave the lease back.
    case released
    /// A vote ran out or was deleted.
    case lapsed
}
