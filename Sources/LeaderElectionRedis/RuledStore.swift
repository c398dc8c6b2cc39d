package import LeaderElection
import Synchronization
import Timing

/// A store whose registers vote for this replica only while it shares the rules of its group; see
/// ``GroupRules``.
package final class RuledStore: LeaseStore {
    private let base: any LeaseStore
    private let keeper: RulesKeeper
    private let pump = Mutex<(from: AsyncStream<WakeUp>, to: AsyncStream<WakeUp>.Continuation)?>(nil)
    private let isHeard = Gate()

    /// The registers of `base`.
    package let registers: [any LeaseRegister]

    package init(_ base: any LeaseStore, keeper: RulesKeeper) {
        self.base = base
        self.keeper = keeper
        registers = base.registers.map { RuledRegister(base: $0, keeper: keeper) }
    }

    package var capabilities: StoreCapabilities { base.capabilities }
    package var naming: String { base.naming }
    package var failureDomains: Int? { base.failureDomains }

    /// Those of `base`, and one when the rules have come to agree.
    package func wakeUps() -> AsyncStream<WakeUp> {
        let (stream, continuation) = AsyncStream.makeStream(of: WakeUp.self, bufferingPolicy: .bufferingNewest(1))
        pump.withLock { $0 = (base.wakeUps(), continuation) }
        keeper.onAgreed { continuation.yield(.lapsed) }
        isHeard.open()
        return stream
    }

    package func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.base.run() }
            group.addTask { await self.keeper.run() }
            group.addTask {
                await self.isHeard.wait()
                guard let pump = self.pump.withLock({ $0 }) else { return }
                for await wakeUp in pump.from { pump.to.yield(wakeUp) }
            }
        }
    }

    package func shutDown() async { await base.shutDown() }
}

/// A register that is asked only while the rules permit it.
private struct RuledRegister: LeaseRegister {
    let base: any LeaseRegister
    let keeper: RulesKeeper

    var label: String { base.label }

    func acquire(_ claim: Claim) async throws(RegisterError) -> AcquireReply {
        switch await keeper.permitAsked() {
        case .granted(let purpose):
            let reply = try await base.acquire(claim.with(purpose: purpose.description))
            guard case .mismatch(let rules) = reply, purpose.deployment != nil else { return reply }
            return .mismatch(rules: "\(rules) (this deployment is \(purpose))")
        case .refused(let member, let terms): return .mismatch(rules: "\(terms) (replica \(member.id))")
        case .unwritable(let text):
            throw .refusesWrites("\(text) (the rules of the group cannot be signed)")
        case .unknown(let text): throw .unreachable("the rules of the group cannot be compared: \(text)")
        }
    }

    func confirm(_ claim: Claim, token: FencingToken, term: UInt64) async throws(RegisterError) -> Bool {
        guard keeper.mayGoOn else { return false }
        return try await base.confirm(marked(claim), token: token, term: term)
    }

    /// See ``RulesKeeper/mayGoOn``.
    func renew(_ claim: Claim, token: FencingToken, term: UInt64, heal: Bool) async throws(RegisterError) -> RenewReply
    {
        guard keeper.mayGoOn else { return .lost(holder: nil) }
        return try await base.renew(marked(claim), token: token, term: term, heal: heal)
    }

    func release(_ claim: Claim, wake: Bool) async throws(RegisterError) { try await base.release(claim, wake: wake) }

    func observe(_ name: String) async throws(RegisterError) -> Observation { try await base.observe(name) }

    private func marked(_ claim: Claim) -> Claim {
        if case .granted(let purpose) = keeper.permit { claim.with(purpose: purpose.description) } else { claim }
    }
}
