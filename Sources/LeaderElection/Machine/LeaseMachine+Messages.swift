extension LeaseMachine {
    /// What happens to a machine.
    package enum Event: Sendable {
        /// Take part from now on.
        case start
        /// The time that `Effect.wake` named has come.
        case timer
        /// A register answered, in time or late.
        case answered(Request, Outcome)
        /// The store says that it is worth looking now.
        case wakeUp
        /// The body of the term returned; nothing of it runs any more.
        case bodyReturned(BodyOutcome)
        /// End gracefully: drain, release, stop.
        case stop
        /// Give up this term gracefully, and let others win.
        case resign
        /// For this time another replica is to win, once the lease is free; zero: not any more.
        case yield(Duration)
        /// End at once: cancel the body, await it, release if that is still allowed.
        case cancel
    }

    /// What the machine wants done, in this order.
    package enum Effect: Sendable {
        /// Ask a register; feed back its answer whenever it comes.
        case send(Request)
        /// Come back with `Event.timer` at this time of the monotonic clock (nil: never). Replaces the last
        /// one.
        case wake(at: Duration?)
        /// Run the body.
        case beginTerm(TermInfo)
        /// The term may go on until the end of this window; `took` is how long the renewal took.
        case extendTerm(LeaseWindow, took: Duration)
        /// Ask the body to finish what it does and return. The lease is kept meanwhile.
        case drain
        /// No handler may be called from here on: cancel the body. Exactly one for every `beginTerm`.
        case endTerm(TermEnd)
        /// For logs, metrics and observers.
        case note(Note)
        /// It is over. Not clean: a body overran its lease.
        case stopped(clean: Bool)
    }

    /// One operation for one register.
    package struct Request: Sendable, Hashable {
        /// Tells an answer in time from a late one.
        package let round: UInt64
        package let register: Int
        package let operation: Operation
    }

    package enum Operation: Sendable, Hashable {
        case acquire(Claim)
        case confirm(Claim, token: FencingToken, term: UInt64)
        case renew(Claim, token: FencingToken, term: UInt64, heal: Bool)
        case release(Claim, wake: Bool)

        package var claim: Claim {
            switch self {
            case .acquire(let claim), .confirm(let claim, _, _), .renew(let claim, _, _, _), .release(let claim, _):
                claim
            }
        }
    }

    /// What became of a request.
    package enum Outcome: Sendable, Hashable {
        case acquired(AcquireReply)
        case confirmed(Bool)
        case renewed(RenewReply)
        case released
        case failed(RegisterError)
    }

    package enum BodyOutcome: Sendable, Hashable {
        case returned
        case failed
        case fencedOut
    }

    package struct TermInfo: Sendable, Hashable {
        package let term: UInt64
        package let token: FencingToken
        package let claim: Claim
        package let window: LeaseWindow
        /// From the first byte of the winning attempt to the last confirmation.
        package let took: Duration
    }

    /// What an observer would like to know.
    package enum Note: Sendable, Hashable {
        /// A renewal failed; the lease still holds.
        case suspect
        /// A later renewal succeeded.
        case recovered
        /// Another replica holds a majority.
        case following(leader: String)
        /// No replica can lead now; the text says why.
        case waiting(String)
        /// This replica must not campaign; the text says why.
        case refused(String)
        /// The leadership was given back to a majority of the registers.
        case released
        /// The body ran on past the end of the lease.
        case overran(term: UInt64)
    }
}
