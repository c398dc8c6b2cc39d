public import Logging
public import NIOCore
import NIOPosix
import Synchronization
import Timing

/// Takes part in an election, and runs a body while this replica leads.
///
/// ```swift
/// let elector = try Elector(store: store, configuration: .init(name: "billing"), logger: logger)
/// try await elector.run { term in
///     while !term.isDrainRequested, term.lease.isValid { try await bill(next(), token: term.token) }
/// }
/// ```
///
/// The elector has a thread of its own: renewals, the timer that ends a lapsed lease and stepping down
/// go on when the body blocks every thread of Swift's cooperative pool. An elector runs once.
public final class Elector: Sendable {
    let store: any LeaseStore
    let registers: [any LeaseRegister]
    let configuration: ElectionConfiguration
    let settings: LeaseMachine.Settings
    let logger: Logger
    let inbox: AsyncStream<Input>
    let outbox: AsyncStream<Input>.Continuation
    let changes = Broadcast<LeadershipChange>()
    let latest: Mutex<Latest>

    private let eventLoop: (any EventLoop)?
    private let started = Atomic(false)

    /// What can come to the elector's loop.
    enum Input: Sendable {
        case event(LeaseMachine.Event)
        /// A register answered, one way or another: nothing of the request is under way any more.
        case answered(LeaseMachine.Request, LeaseMachine.Outcome)
        /// After the end, a register that has not answered by now is not waited for.
        case graceIsOver
    }

    struct Latest {
        var state = ElectorState()
        var lease: Lease?
    }

    /// An elector; nothing happens before ``run(_:)``.
    ///
    /// - Parameters:
    ///   - store: where it votes; it stays the caller's to shut down.
    ///   - configuration: name, id and times.
    ///   - logger: where its lines go.
    ///   - eventLoop: where it runs instead of on a thread of its own; nothing may ever block that one.
    /// - Throws: ``ElectionError`` of the code ``ElectionError/Code/configuration``: no odd number of
    ///   registers, an empty name or id, or times that ``ElectionConfiguration/timing()`` refuses.
    public init(
        store: any LeaseStore, configuration: ElectionConfiguration, logger: Logger,
        eventLoop: (any EventLoop)? = nil
    ) throws(ElectionError) {
        self.store = store
        self.configuration = configuration
        self.eventLoop = eventLoop
        registers = store.registers
        settings = try configuration.settings(for: store)
        var logger = logger
        logger[metadataKey: "election"] = "\(configuration.name)"
        logger[metadataKey: "id"] = "\(configuration.id)"
        self.logger = logger
        (inbox, outbox) = AsyncStream.makeStream()
        var state = ElectorState()
        state.registers = registers.map { ($0.label, .unknown) }
        latest = Mutex(Latest(state: state))
    }

    /// Campaigns, runs `body` as often as this replica is elected, and returns after ``stop()``.
    ///
    /// The body's task is cancelled when the term ends; no other term begins before it has returned. A body
    /// that returns or throws gives the term up, and the replica campaigns again after a pause. Cancelling
    /// the task of `run` ends the term at once: the body is cancelled and awaited, and the lease is given
    /// back if it still holds.
    ///
    /// - Throws: ``ElectionError`` of the code ``ElectionError/Code/bodyOverran`` if a body went on past
    ///   its lease: exit non-zero then. Of the code ``ElectionError/Code/alreadyRun`` at a second call.
    @concurrent
    public func run(_ body: @escaping @Sendable (Term) async throws -> Void) async throws(ElectionError) {
        guard !started.exchange(true, ordering: .relaxed) else { throw .alreadyRun }
        outbox.yield(.event(.start))
        var group: MultiThreadedEventLoopGroup?
        if eventLoop == nil { group = MultiThreadedEventLoopGroup(numberOfThreads: 1) }
        guard let eventLoop = eventLoop ?? group?.next() else { return }

        // A task that knows no cancellation: when the caller's is cancelled, the lease must still be given
        // back.
        let work = Task(executorPreference: EventLoopTaskExecutor(eventLoop)) {
            await self.operate(on: eventLoop, body)
        }
        let overran = await withTaskCancellationHandler {
            await work.value
        } onCancel: {
            outbox.yield(.event(.cancel))
        }
        try? await group?.shutdownGracefully()
        changes.send(.stopped)
        changes.finish()
        if let overran { throw .bodyOverran(term: overran) }
    }

    /// Ends gracefully: asks the body to drain, awaits it, gives the lease back, and lets `run` return. May
    /// be called at any time, from anywhere, also from the body, and more than once.
    public func stop() {
        outbox.yield(.event(.stop))
    }

    /// Ends the term gracefully, if there is one, and campaigns again after a pause, so that others may
    /// win. May be called at any time, from anywhere.
    public func resign() {
        outbox.yield(.event(.resign))
    }

    /// For this time another replica is to win, once the lease is free; zero: not any more.
    package func yield(for time: Duration) {
        outbox.yield(.event(.yield(time)))
    }

    /// Makes the elector look now, since the lease may have become free or may have been lost. May be
    /// called at any time, from anywhere.
    public func wakeUp() {
        outbox.yield(.event(.wakeUp))
    }

    /// What happens from now on. Every call gives a sequence of its own, which ends with ``run(_:)``. It
    /// holds 256 changes; a reader that falls further behind misses the oldest.
    public var leadership: AsyncStream<LeadershipChange> {
        changes.listen()
    }

    /// How things stand now.
    public var state: ElectorState {
        var (state, lease) = latest.withLock { ($0.state, $0.lease) }
        state.leaseRemaining = lease?.remaining ?? .zero
        state.failureDomains = store.failureDomains
        return state
    }
}
