import LeaderElection
import Simulation
import Synchronization
import Timing

/// Registers in memory, for the elector on real clocks.
final class MemoryRegister: LeaseRegister {
    let label: String
    private let register = Mutex(SimulatedRegister())
    private let hangs = Mutex(false)
    private let wake: @Sendable () -> Void
    private let counts = Mutex<[String: Int]>([:])

    init(_ label: String, wake: @escaping @Sendable () -> Void) {
        self.label = label
        self.wake = wake
    }

    /// From now on no request is answered.
    func hang(_ value: Bool = true) { hangs.withLock { $0 = value } }
    func count(_ operation: String) -> Int { counts.withLock { $0[operation, default: 0] } }
    func edit(_ change: (inout SimulatedRegister) -> Void) { register.withLock { change(&$0) } }
    var holder: String? { register.withLock { $0.held(at: time)?.value } }

    private var time: Duration { SystemClock.read().monotonic }

    private func apply(_ name: String, _ operation: LeaseMachine.Operation) async throws(RegisterError)
        -> LeaseMachine.Outcome
    {
        while hangs.withLock({ $0 }) {
            do { try await Task.sleep(for: .milliseconds(5)) } catch { throw .cancelled }
        }
        counts.withLock { $0[name, default: 0] += 1 }
        let now = time
        let (outcome, wakes) = register.withLock { $0.apply(operation, at: now) }
        if wakes { wake() }
        return outcome
    }

    func acquire(_ claim: Claim) async throws(RegisterError) -> AcquireReply {
        guard case .acquired(let reply) = try await apply("acquire", .acquire(claim)) else { throw .timedOut }
        return reply
    }

    func confirm(_ claim: Claim, token: FencingToken, term: UInt64) async throws(RegisterError) -> Bool {
        try await apply("confirm", .confirm(claim, token: token, term: term)) == .confirmed(true)
    }

    func renew(_ claim: Claim, token: FencingToken, term: UInt64, heal: Bool) async throws(RegisterError) -> RenewReply
    {
        let operation = LeaseMachine.Operation.renew(claim, token: token, term: term, heal: heal)
        guard case .renewed(let reply) = try await apply("renew", operation) else { throw .timedOut }
        return reply
    }

    func release(_ claim: Claim, wake: Bool) async throws(RegisterError) {
        _ = try await apply("release", .release(claim, wake: wake))
    }

    func observe(_ name: String) async throws(RegisterError) -> Observation {
        let now = time
        return register.withLock { register in
            let held = register.held(at: now)
            return Observation(
                holder: held?.value, ttl: held.map { $0.until - now }, term: register.term,
                token: FencingToken(rawValue: register.counter))
        }
    }
}

/// A store of registers in memory, shared by the electors of one test.
final class MemoryStore: LeaseStore {
    let memory: [MemoryRegister]
    let capabilities: StoreCapabilities = [.fencing, .serverTime, .push]
    let naming = "memory"
    private let listeners = Listeners()

    final class Listeners: Sendable {
        let all = Mutex<[AsyncStream<WakeUp>.Continuation]>([])
        func wake() { for listener in all.withLock({ $0 }) { listener.yield(.released) } }
    }

    init(registers count: Int) {
        let listeners = listeners
        memory = (0..<count).map { index in MemoryRegister("memory-\(index)") { listeners.wake() } }
    }

    var registers: [any LeaseRegister] { memory }
    var failureDomains: Int? { 1 }

    func wakeUps() -> AsyncStream<WakeUp> {
        let (stream, continuation) = AsyncStream.makeStream(of: WakeUp.self)
        listeners.all.withLock { $0.append(continuation) }
        return stream
    }
}
