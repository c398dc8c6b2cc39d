import LeaderElection
import Logging
import RedisClient
import Synchronization
import Timing

/// What stands in the way of the whole group, told when it lasts.
struct GroupTroubles {
    var reading = LastingTrouble()
    var presence = LastingTrouble()
    var election = LastingTrouble()
    /// A server that restarts, or fails over, is away for some seconds.
    var outage = LastingTrouble(patience: .seconds(10))
    /// Expirations that wait for longer than half of what the logs keep.
    var age = LastingTrouble(patience: .zero)
    /// A failover may leave the roles open for seconds.
    var proof = LastingTrouble(patience: .seconds(10))
    /// Registers that forbid reading while the others are a majority.
    var forbidding: [String: LastingTrouble] = [:]
    /// What readiness says meanwhile.
    var reasons: [String] = []
    var proofReason: String?
}

extension RunningProcessor {
    /// After each look at the registers.
    func tellTroubles(_ parts: Parts) {
        let now = SystemClock.read().monotonic
        let (found, state) = (parts.keeper.troubles, parts.elector.state)
        let refusal = state.isLeader ? nil : state.lacksMajority { $0.code == .refusesWrites }
        let outage = state.isLeader || refusal != nil ? nil : state.lacksMajority { _ in true }
        let (reading, presence, election, absence) = troubles.withLock { troubles in
            let steps = (
                troubles.reading.look(found.reading != nil, isRefusal: found.reading?.isRefusal ?? false, now: now),
                troubles.presence.look(found.presence != nil, now: now),
                troubles.election.look(refusal != nil, now: now),
                troubles.outage.look(outage != nil, now: now)
            )
            troubles.reasons = []
            if troubles.reading.isTold, let trouble = found.reading {
                troubles.reasons.append("progress cannot be read: \(trouble.register): \(trouble.text)")
            }
            if troubles.election.isTold, let refusal {
                troubles.reasons.append("nobody can be elected: \(refusal)")
            }
            if troubles.outage.isTold, let outage {
                troubles.reasons.append("the election is out of reach: \(outage)")
            }
            return steps
        }
        tell(reading, .warning, "progress cannot be read", found.reading, over: "progress is read again")
        tell(
            presence, .warning,
            "this replica cannot say that it is there: its peers may not ask it for what they missed",
            found.presence, over: "this replica says again that it is there")
        switch election {
        case .tell: logger.error("nobody can be elected: \(refusal ?? "")")
        case .over: logger.notice("an election is possible again")
        case .nothing: break
        }
        switch absence {
        case .tell: logger.error("the election is out of reach: \(outage ?? "")")
        case .over: logger.notice("the election is in reach again")
        case .nothing: break
        }
        tellForbidding(found, now)
        watchAge(parts)
        for complaint in parts.keeper.takeComplaints() { logger.error("progress passed over: \(complaint)") }
    }

    /// A missing right is told before another register is away, too. Without a majority, what cannot be
    /// read is told instead.
    private func tellForbidding(_ found: ProgressTroubles, _ now: Duration) {
        guard found.reading == nil else { return }
        let steps = troubles.withLock { troubles in
            Set(troubles.forbidding.keys).union(found.forbidding.keys).sorted().map { register in
                let trouble = found.forbidding[register]
                var lasting = troubles.forbidding[register] ?? LastingTrouble()
                let step = lasting.look(trouble != nil, isRefusal: true, now: now)
                troubles.forbidding[register] = trouble == nil ? nil : lasting
                return (register, step, trouble)
            }
        }
        for (register, step, trouble) in steps {
            switch step {
            case .tell:
                logger.warning(
                    "a register forbids reading progress: fewer others may be away",
                    metadata: ["register": "\(register)", "error": "\(trouble?.text ?? "")"])
            case .over:
                logger.notice("a register allows reading progress again", metadata: ["register": "\(register)"])
            case .nothing: break
            }
        }
    }

    private func tell(
        _ step: LastingTrouble.Step, _ level: Logger.Level, _ text: String, _ trouble: ProgressTrouble?, over: String
    ) {
        switch step {
        case .tell:
            logger.log(
                level: level, "\(text)",
                metadata: ["register": "\(trouble?.register ?? "")", "error": "\(trouble?.text ?? "")"])
        case .over: logger.notice("\(over)")
        case .nothing: break
        }
    }

    /// Why this replica is not ready, of what concerns the whole group.
    var troubleReasons: [String] {
        let topology = watch.troubleReason
        return troubles.withLock { troubles in
            troubles.reasons + [topology, troubles.proofReason].compactMap(\.self)
        }
    }
}

extension ElectorState {
    /// Why no majority can be had: the registers without an error of this kind are no majority. Nil when
    /// that is not the reason.
    func lacksMajority(_ counts: (RegisterError) -> Bool) -> String? {
        let words = registers.compactMap { register -> String? in
            guard case .unreachable(let error) = register.state, counts(error) else { return nil }
            return error.detail.isEmpty ? "\(register.label): \(error)" : error.detail
        }
        guard words.count > registers.count - (registers.count / 2 + 1) else { return nil }
        return words.reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }.joined(separator: "; ")
    }
}
