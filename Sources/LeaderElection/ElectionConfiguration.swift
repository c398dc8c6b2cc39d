/// How a replica takes part in an election: its name and id, and the times.
public struct ElectionConfiguration: Sendable {
    /// Replicas with the same name form one group. Not empty.
    public var name: String
    /// This replica. Not empty; two processes must never share one at the same time.
    public var id: String
    /// What the lease is for, as one word. Replicas with the same name and another purpose are refused: an
    /// election of programs and the group of a service must not exclude each other.
    public var purpose: String
    /// How long the lease lasts without a renewal, at least 370 ms with the other values at their defaults;
    /// it is renewed every third of it.
    public var leaseTTL: Duration
    /// The rate by which two clocks may differ, as a fraction: 0.01 gives away 1 % of the lease. Not
    /// negative.
    public var clockDrift: Double
    /// What is kept of the lease for the body to return in once its task was cancelled; nil: a tenth of the
    /// lease, at least 50 ms and at most 1 s. Not negative.
    public var stopBudget: Duration?
    /// How long a body may take to return after it was asked to drain; then its task is cancelled. Nil: as
    /// long as it likes.
    public var drainLimit: Duration?
    /// Called once, on the elector's own thread, when a body has run on past the end of its lease (the
    /// number of its term). Another replica may lead by then: the only safe answer is to exit the process.
    /// It is called even when the body blocks every thread that Swift has for tasks.
    public var onOverrun: (@Sendable (UInt64) -> Void)?

    /// Hears of each claim before a register does; see ``ClaimWitness``.
    package var witness: (any ClaimWitness)?

    /// A configuration; nothing is checked before ``timing()`` or an ``Elector`` is made.
    public init(
        name: String, id: String = ElectionConfiguration.uniqueID(), leaseTTL: Duration = .seconds(8),
        clockDrift: Double = 0.01, stopBudget: Duration? = nil, drainLimit: Duration? = nil,
        onOverrun: (@Sendable (UInt64) -> Void)? = nil, purpose: String = "elect"
    ) {
        self.name = name
        self.id = id
        self.leaseTTL = leaseTTL
        self.clockDrift = clockDrift
        self.stopBudget = stopBudget
        self.drainLimit = drainLimit
        self.onOverrun = onOverrun
        self.purpose = purpose
    }

    /// `<host>-<pid>-<random>`: another one for every start, so that a restarted replica is not taken for
    /// the old.
    public static func uniqueID() -> String {
        let random = String(UInt32.random(in: 0x1000_0000 ... .max), radix: 16)
        return "\(ThisProcess.hostName)-\(ThisProcess.id)-\(random)"
    }

    /// The times that follow from the lease's length.
    ///
    /// - Throws: ``ElectionError`` of the code ``ElectionError/Code/configuration``: a renewal and two
    ///   retries do not fit into the lease, or a value is negative.
    public func timing() throws(ElectionError) -> LeaseTiming {
        try LeaseTiming(ttl: leaseTTL, clockDrift: clockDrift, stopBudget: stopBudget)
    }

    package func settings(for store: any LeaseStore) throws(ElectionError) -> LeaseMachine.Settings {
        guard !name.isEmpty else { throw .configuration("name", "the election needs one") }
        guard !id.isEmpty else { throw .configuration("id", "the replica needs one") }
        return try LeaseMachine.Settings(
            name: name, id: id, rules: rules(for: store), purpose: purpose, registers: store.registers.count,
            timing: timing(), push: store.capabilities.contains(.push), drainLimit: drainLimit)
    }

    /// What the replicas of a group must agree on.
    package func rules(for store: any LeaseStore) -> String {
        "ttl=\(leaseTTL.microseconds / 1000)ms registers=\(store.registers.count) naming=\(store.naming)"
    }
}
