import LeaderElection
package import RESP
package import RedisClient

/// What can run a script where a key lives: a whole deployment, or one server.
package protocol ScriptRunner: Sendable {
    func run(_ script: Script, keys: [String], arguments: [[UInt8]], timeout: Duration) async throws(RedisError)
        -> RESPValue
    func node(for key: String) -> NodeAddress?
}

extension KeyedClient: ScriptRunner {}

/// One lock key in one slot, or on one server: a vote on the lease.
struct RedisLeaseRegister: LeaseRegister {
    let keys: ElectionKeys
    let runner: any ScriptRunner
    /// The longest an operation may take; the elector stops counting on it sooner.
    let timeout: Duration
    /// Shared by the registers of one store.
    let seen: LargestToken
    let votes: VoteWatch

    var label: String { runner.node(for: keys.lock).map { "\($0)/\(keys.lock)" } ?? keys.lock }

    func acquire(_ claim: Claim) async throws(RegisterError) -> AcquireReply {
        let answered = votes.asks(claim, lock: keys.lock)
        let reply = try await run(
            LeaseScripts.acquire, claim.value, milliseconds(claim.ttl), claim.rules, claim.purpose,
            "\(seen.value)")
        let fields = reply.array ?? []
        switch fields.first?.string {
        case "granted":
            let vote = Vote(counter: try number(fields, 1), term: try number(fields, 2))
            seen.note(vote.counter)
            answered(true)
            return .granted(vote)
        case "held":
            guard fields.count == 6, let holder = fields[1].string else { throw unexpected(reply) }
            seen.note(try number(fields, 3))
            let rules = fields[4].string.flatMap { $0.isEmpty ? nil : $0 }
            if let theirs = claim.mismatch(rules: rules, purpose: fields[5].string) { return .mismatch(rules: theirs) }
            // Longer than any claim lasts cannot be true: then it is asked again after a lease.
            let left = fields[2].int.flatMap { $0 >= 0 ? min(.milliseconds($0), claim.ttl) : nil }
            return .held(by: holder, ttl: left)
        case "refused":
            let wait = min(Duration.milliseconds(Int64(try number(fields, 1))), claim.ttl + .seconds(1))
            return .refused(reason: "the server is younger than the lease", retryAfter: wait)
        default: throw unexpected(reply)
        }
    }

    func confirm(_ claim: Claim, token: FencingToken, term: UInt64) async throws(RegisterError) -> Bool {
        let answered = votes.asks(claim, lock: keys.lock)
        let reply = try await run(LeaseScripts.confirm, claim.value, "\(token)", "\(term)", milliseconds(claim.ttl))
        answered(reply.int == 1)
        return reply.int == 1
    }

    func renew(_ claim: Claim, token: FencingToken, term: UInt64, heal: Bool) async throws(RegisterError) -> RenewReply
    {
        let answered = votes.asks(claim, lock: keys.lock)
        let reply = try await run(
            LeaseScripts.renew, claim.value, "\(token)", "\(term)", milliseconds(claim.ttl), claim.rules,
            heal ? "1" : "0", claim.purpose)
        let fields = reply.array ?? []
        if fields.first?.int == 1 {
            answered(true)
            return .renewed
        }
        guard fields.count > 1, let holder = fields[1].string else { throw unexpected(reply) }
        answered(false)
        return .lost(holder: holder.isEmpty ? nil : holder)
    }

    func release(_ claim: Claim, wake: Bool) async throws(RegisterError) {
        votes.givesBack(claim, lock: keys.lock)
        _ = try await run(LeaseScripts.release, claim.value, wake ? ElectionKeys.channel(keys.name) : "")
    }

    func observe(_ name: String) async throws(RegisterError) -> Observation {
        let reply = try await run(LeaseScripts.observe)
        let fields = reply.array ?? []
        guard fields.count == 4, let holder = fields[0].string, let left = fields[1].int else {
            throw unexpected(reply)
        }
        return Observation(
            holder: holder.isEmpty ? nil : holder, ttl: left >= 0 ? .milliseconds(left) : nil,
            term: try number(fields, 2), token: FencingToken(rawValue: try number(fields, 3)))
    }

    private func run(_ script: Script, _ arguments: String...) async throws(RegisterError) -> RESPValue {
        do {
            return try await runner.run(
                script, keys: [keys.lock, keys.token, keys.progress], arguments: arguments.map { Array($0.utf8) },
                timeout: timeout)
        } catch {
            if let refusal = RefusedWrite(error) {
                throw .refusesWrites("\(error.node.map { "\($0)" } ?? label) refuses writes: \(refusal.words)")
            }
            switch error.kind {
            case .timeout: throw .timedOut
            case .denied, .tls: throw .denied(error.description)
            case .protocolViolation: throw .unexpected(error.description)
            case .reply(let reply) where Redirection(reply) == .none: throw .unexpected(error.description)
            default: throw .unreachable(error.description)
            }
        }
    }

    private func number(_ fields: [RESPValue], _ index: Int) throws(RegisterError) -> UInt64 {
        guard index < fields.count, let number = PlausibleCount.read(fields[index]) else {
            throw .unexpected("a number is missing, or cannot be true, in \(fields)")
        }
        return number
    }

    private func unexpected(_ reply: RESPValue) -> RegisterError { .unexpected("\(reply)") }

    private func milliseconds(_ duration: Duration) -> String {
        "\(duration.components.seconds * 1000 + duration.components.attoseconds / 1_000_000_000_000_000)"
    }
}
