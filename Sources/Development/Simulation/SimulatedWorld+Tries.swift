import LeaderElection

/// A store in which what a claim has belongs to all its tries, as the lease does in etcd and the
/// session in Consul: a try that is refused ends it. Which one may, the product's own ``ClaimTries``
/// tells.
extension SimulatedWorld {
    /// The number of a try that is sent now; nil for another operation, and while what the claim had is
    /// being ended.
    func beginTry(_ operation: LeaseMachine.Operation, _ replica: Replica) -> UInt64? {
        guard judges(.lateRefusal), case .acquire(let claim) = operation else { return nil }
        return replica.tries.begin(claim.value)
    }

    /// What a try is answered that may not begin.
    func answerByTries(_ operation: LeaseMachine.Operation, _ number: UInt64?) -> LeaseMachine.Outcome? {
        guard judges(.lateRefusal), number == nil, case .acquire = operation else { return nil }
        return .acquired(.refused(reason: "what an earlier try had is being ended", retryAfter: nil))
    }

    /// By how much an answer is late: so much that the elector has asked again meanwhile.
    func lateness(of outcome: LeaseMachine.Outcome) -> Duration {
        guard now < network.refusalsLateUntil, isRefusal(outcome), random.chance(80) else { return .zero }
        return random.milliseconds(130...800)
    }

    /// An answer has come. One that refuses a try is passed on once what the claim had is gone.
    func answered(
        _ request: LeaseMachine.Request, _ outcome: LeaseMachine.Outcome, _ number: UInt64?, _ register: Int,
        _ replica: Replica
    ) {
        guard let number, isRefusal(outcome) else { return step(.answered(request, outcome), replica) }
        let claim = request.operation.claim
        let mayEnd = replica.tries.giveUp(claim.value, after: number)
        guard mayEnd || defect == .anyTryEnds else { return step(.answered(request, outcome), replica) }
        end(claim, register, replica) { [unowned self] in step(.answered(request, outcome), replica) }
    }

    /// Ends what a claim has at a register, whichever of its tries got it.
    private func end(_ claim: Claim, _ register: Int, _ replica: Replica, done: @escaping () -> Void) {
        let operation = LeaseMachine.Operation.release(claim, wake: true)
        let trip = trip(replica, register: register)
        guard !trip.isLost else { return }
        after(trip.there) { [unowned self] in
            checkTries(claim, register, replica)
            trace.note("ends a claim", replica.life)
            _ = apply(operation, register)
            guard !trip.answerIsLost, !trip.isCut else { return }
            after(trip.back, in: replica) {
                replica.tries.ended(claim.value)
                done()
            }
        }
    }

    private func checkTries(_ claim: Claim, _ register: Int, _ replica: Replica) {
        guard let body = replica.body, body.info.claim == claim, !body.leaseEnded,
            registers[register].held(at: now)?.value == claim.value
        else { return }
        ledger.violate(.tries, "\(replica.id) leads, and the answer to an earlier try of its claim ends its lease")
    }

    private func isRefusal(_ outcome: LeaseMachine.Outcome) -> Bool {
        switch outcome {
        case .acquired(.held), .acquired(.refused), .acquired(.mismatch): true
        default: false
        }
    }
}
