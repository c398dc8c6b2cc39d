import Foundation
import LeaderElection
import Logging
import Synchronization

/// The vote of an etcd cluster: a key under a lease that belongs to one claim, granted when the lock
/// was seen free, and revoked when the claim is lost or released. The counter is the revision at which
/// the lock was created.
///
/// A transaction puts the key, and demands that it is free (its create revision is 0) and that the
/// lease lives: a lease that ended while waiting never makes a leader.
struct EtcdLeaseRegister: LeaseRegister {
    let name: String
    let keys: EtcdKeys
    let gateway: EtcdGateway
    let logger: Logger
    let shared = Shared()

    /// What the operations of one register know of each other.
    final class Shared: Sendable {
        let tries = Mutex(ClaimTries())
    }

    /// What one consistent look at the election's keys showed.
    private struct SeenKeys {
        var holder: String?
        var lease: Int64 = 0
        var created: UInt64 = 0
        var rules: String?
        var purpose: String?
        var term = EtcdTerm(term: 0, token: 0)
        var raftTerm: Int64 = 0
    }

    var label: String { "\(gateway.endpoint)\(String(decoding: keys.lock, as: UTF8.self))" }

    func acquire(_ claim: Claim) async throws(RegisterError) -> AcquireReply {
        guard let number = shared.tries.withLock({ $0.begin(claim.value) }) else {
            return .refused(reason: "the lease of the claim's earlier try is being revoked", retryAfter: nil)
        }
        do throws(EtcdFailure) {
            let lease = EtcdLeaseID(of: claim.value)
            var seen = try await look()
            if seen.holder == claim.value {
                if let kept = try await prolong(claim) {
                    return .granted(Vote(counter: kept.created, term: kept.term.term))
                }
                seen = try await look()
            }
            if seen.holder != nil { return try await occupied(seen, claim) }
            try await grant(lease, claim.ttl)
            return try await put(claim, under: lease, in: number)
        } catch {
            throw RegisterError(error)
        }
    }

    func confirm(_ claim: Claim, token: FencingToken, term: UInt64) async throws(RegisterError) -> Bool {
        do throws(EtcdFailure) { return try await raise(claim, token, term) } catch { throw RegisterError(error) }
    }

    func renew(_ claim: Claim, token: FencingToken, term: UInt64, heal: Bool) async throws(RegisterError) -> RenewReply
    {
        do throws(EtcdFailure) {
            if let kept = try await prolong(claim) {
                if kept.term.term >= term { return .renewed }
                if try await raise(claim, token, term) { return .renewed }
            }
            let seen = try await look()
            // A lock whose lease has run out is about to go.
            if let holder = seen.holder, holder != claim.value { return .lost(holder: holder) }
        } catch {
            throw RegisterError(error)
        }
        guard heal, case .granted = try await acquire(claim), try await confirm(claim, token: token, term: term) else {
            return .lost(holder: nil)
        }
        return .renewed
    }

    /// Revoking the claim's lease deletes what is under it, in one step: the lock and the rules, if they
    /// are its own.
    func release(_ claim: Claim, wake: Bool) async throws(RegisterError) {
        do throws(EtcdFailure) { try await revoke(EtcdLeaseID(of: claim.value)) } catch { throw RegisterError(error) }
    }

    func observe(_ name: String) async throws(RegisterError) -> Observation {
        do throws(EtcdFailure) {
            let seen = try await look()
            return Observation(
                holder: seen.holder, ttl: seen.holder == nil ? nil : try await timeLeft(seen.lease),
                term: seen.term.term, token: FencingToken(rawValue: max(seen.term.token, seen.created)))
        } catch {
            throw RegisterError(error)
        }
    }

    // MARK: Steps

    private func look() async throws(EtcdFailure) -> SeenKeys {
        let reply = try await gateway.call(
            .transaction,
            WireTransaction(success: everything),
            WireTransactionReply.self)
        return seenKeys(in: reply)
    }

    private var everything: [WireOperation] {
        [keys.lock, keys.rules, keys.purpose, keys.term].map { .range($0) }
    }

    private func seenKeys(in reply: WireTransactionReply) -> SeenKeys {
        var seen = SeenKeys()
        seen.raftTerm = reply.header?.raftTerm?.value ?? 0
        if let lock = reply.found(keys.lock) {
            seen.holder = String(decoding: lock.value ?? Data(), as: UTF8.self)
            seen.lease = lock.lease?.value ?? 0
            seen.created = UInt64(clamping: lock.createRevision?.value ?? 0)
        }
        seen.rules = reply.found(keys.rules)?.value.map { String(decoding: $0, as: UTF8.self) }
        seen.purpose = reply.found(keys.purpose)?.value.map { String(decoding: $0, as: UTF8.self) }
        if let term = reply.found(keys.term)?.value.flatMap(EtcdTerm.init) { seen.term = term }
        return seen
    }

    private func occupied(_ seen: SeenKeys, _ claim: Claim) async throws(EtcdFailure) -> AcquireReply {
        if let theirs = claim.mismatch(rules: seen.rules, purpose: seen.purpose) { return .mismatch(rules: theirs) }
        return .held(by: seen.holder ?? "", ttl: try await timeLeft(seen.lease))
    }

    /// What is left of a lease. etcd tells whole seconds, rounded down; one that ran out is revoked within
    /// about a second.
    private func timeLeft(_ lease: Int64) async throws(EtcdFailure) -> Duration? {
        guard lease != 0 else { return nil }
        let reply = try await gateway.call(
            .timeToLive, WireLease(id: WireNumber(lease)), WireLeaseReply.self)
        return .seconds(min(max(reply.ttl?.value ?? 0, 1), 86_400))
    }

    /// etcd counts in seconds, and no lease shorter than its election timeout: never shorter than the
    /// claim's.
    private func grant(_ lease: EtcdLeaseID, _ ttl: Duration) async throws(EtcdFailure) {
        let (seconds, fraction) = ttl.components
        let whole = seconds + (fraction > 0 ? 1 : 0)
        do throws(EtcdFailure) {
            let reply = try await gateway.call(
                .grant, WireGrant(id: WireNumber(lease.number), ttl: WireNumber(whole)), WireLeaseReply.self)
            let granted = reply.ttl?.value ?? 0
            guard granted >= whole else { throw .unexpected("a lease of \(granted) s instead of \(whole) s") }
        } catch  where error.isLeaseAlreadyThere {
            // A retry: the lease of this claim's first try. If it has just run out, the transaction will say so.
            _ = try await keepAlive(lease)
        }
    }

    private func put(
        _ claim: Claim, under lease: EtcdLeaseID, in number: UInt64
    ) async throws(EtcdFailure) -> AcquireReply {
        let reply: WireTransactionReply
        do throws(EtcdFailure) {
            reply = try await gateway.call(
                .transaction,
                WireTransaction(
                    compare: [.isAbsent(keys.lock)],
                    success: [
                        .put(keys.lock, Data(claim.value.utf8), lease: lease),
                        .put(keys.rules, Data(claim.rules.utf8), lease: lease),
                        .put(keys.purpose, Data(claim.purpose.utf8), lease: lease),
                    ] + everything,
                    failure: everything))
        } catch  where error.isLeaseNotFound {
            return .refused(reason: "the claim's etcd lease was revoked before the vote", retryAfter: nil)
        }
        let seen = seenKeys(in: reply)
        if seen.holder == claim.value { return .granted(Vote(counter: seen.created, term: seen.term.term)) }
        // Another was quicker.
        await giveUp(claim, lease, after: number)
        return try await occupied(seen, claim)
    }

    /// If this fails, the lease ends by itself: nothing keeps it alive.
    private func giveUp(_ claim: Claim, _ lease: EtcdLeaseID, after number: UInt64) async {
        // A later try may hold the lock by now, under the same lease.
        guard shared.tries.withLock({ $0.giveUp(claim.value, after: number) }) else { return }
        let asked = gateway.endpoint
        do throws(EtcdFailure) { try await revoke(lease) } catch {
            logger.debug("a lost claim's lease was not revoked", metadata: ["error": "\(error)"])
            return
        }
        // Where an endpoint was asked in vain before, it may revoke what the claim would get next.
        if gateway.endpoint == asked { shared.tries.withLock { $0.ended(claim.value) } }
    }

    /// Starts the lease anew and then makes sure that the lock is still there and under this claim; nil: it
    /// is not.
    ///
    /// A member cut off from the others may still extend leases, which etcd's new leader does not know of.
    /// The look needs a majority: if it ran in the same term of Raft, the extension was made by that term's
    /// leader; if not, it is repeated.
    private func prolong(_ claim: Claim) async throws(EtcdFailure) -> SeenKeys? {
        for _ in 0..<3 {
            let reply = try await keepAlive(EtcdLeaseID(of: claim.value))
            guard (reply?.ttl?.value ?? 0) > 0 else { return nil }
            let seen = try await look()
            guard seen.holder == claim.value else { return nil }
            if seen.raftTerm == reply?.header?.raftTerm?.value { return seen }
        }
        throw .unreachable("etcd changes its leader")
    }

    private func keepAlive(_ lease: EtcdLeaseID) async throws(EtcdFailure) -> WireLeaseReply? {
        do throws(EtcdFailure) {
            return try await gateway.call(
                .keepAlive, WireLease(id: WireNumber(lease.number)), WireStreamed<WireLeaseReply>.self
            ).result
        } catch  where error.isLeaseNotFound {
            return nil
        }
    }

    private func raise(_ claim: Claim, _ token: FencingToken, _ term: UInt64) async throws(EtcdFailure) -> Bool {
        let put = WireOperation.put(keys.term, EtcdTerm(term: term, token: token.rawValue).bytes)
        let raised = WireTransaction(compare: [.exceeds(keys.term, EtcdTerm.floor(max(term, 1)))], failure: [put])
        let reply = try await gateway.call(
            .transaction,
            WireTransaction(
                compare: [.holds(keys.lock, Data(claim.value.utf8))], success: [WireOperation(requestTxn: raised)]),
            WireTransactionReply.self)
        return reply.succeeded == true
    }

    private func revoke(_ lease: EtcdLeaseID) async throws(EtcdFailure) {
        struct Nothing: Decodable, Sendable {}
        do throws(EtcdFailure) {
            _ = try await gateway.call(.revoke, WireLease(id: WireNumber(lease.number)), Nothing.self)
        } catch  where error.isLeaseNotFound {
            // Revoked or run out already.
        }
    }
}
