import Timing

extension LeaseMachine {
    package enum State: Sendable {
        /// No candidate now: not started, or waiting for a time or a wake-up.
        case idle(Wait)
        /// Registers are asked for their votes.
        case campaigning(Ballot)
        /// A majority voted; the token is being published to it.
        case confirming(Ballot)
        /// The last renewal was good.
        case leading(Tenure)
        /// A renewal failed; the lease still holds.
        case suspect(Tenure)
        /// The body is on its way out.
        case stopping(Tenure, Ending)
        /// The body has returned; the registers are told.
        case releasing(Release)
        case stopped
    }

    package struct Wait: Sendable {
        /// Campaign then, nil: not before being started.
        var until: Duration?
        /// A wake-up may bring the campaign forward to here.
        var notBefore: Duration
        /// The lease is free, and the replica that is to win has had its time.
        var hasGivenHeadStart = false
    }

    /// One attempt to lead.
    package struct Ballot: Sendable {
        let claim: Claim
        let begun: Duration
        var round: Round
        /// Rounds of this kind so far: a lost answer is asked for again once, with the same claim.
        var tries = 1
        /// Set when a majority voted.
        var won: Won?

        struct Won: Sendable {
            let window: LeaseWindow
            let token: FencingToken
            let term: UInt64
            /// Those whose counter the token is not smaller than: only their word counts. The others are told the
            /// token too, so that more than one register must forget it before a smaller one can be given out.
            let voters: [Int]
        }
    }

    /// One term.
    package struct Tenure: Sendable {
        package let claim: Claim
        package let token: FencingToken
        package let term: UInt64
        package let begun: Duration
        package var window: LeaseWindow
        /// The renewal on its way, or the last good one, of which more answers may come.
        var round: Round?
        /// The round reached its majority.
        var settled = false
        /// Nil while a round is undecided.
        var nextRound: Duration?
        /// Good rounds in a row that found a register without this claim: the next one comes sooner for the
        /// first few.
        var incomplete = 0
    }

    package enum Ending: Sendable {
        /// The body was asked to return, and the lease is renewed until it has, at most until `limit`.
        case draining(TermEnd, limit: Duration?)
        /// The body's task was cancelled. The lease is renewed no more.
        /// The body must have returned by `limit`; nil once it has not.
        case ended(TermEnd, limit: Duration?)
    }

    package struct Release: Sendable {
        let claim: Claim
        /// Nil: no term, only votes of an attempt given back.
        let term: TermEnd?
        let lived: Duration
        var round: Round
        var tries = 1
    }

    /// One operation sent to several registers at once.
    package struct Round: Sendable {
        let number: UInt64
        let sentAt: ClockReading
        let timeout: Duration
        /// By register. An answer is written once: a doubled one counts once.
        var answers: [Outcome?]
        var asked: [Bool]

        /// Takes the answer, unless there is one already or none was asked for.
        mutating func take(_ outcome: Outcome, from register: Int) -> Bool {
            guard asked[register], answers[register] == nil else { return false }
            answers[register] = outcome
            return true
        }

        func count(_ predicate: (Outcome) -> Bool) -> Int {
            answers.count { answer in answer.map(predicate) ?? false }
        }

        var unanswered: Int {
            zip(asked, answers).count { asked, answer in asked && answer == nil }
        }
    }
}
