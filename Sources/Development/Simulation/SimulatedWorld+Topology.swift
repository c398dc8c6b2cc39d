import Lapse
import LeaderElection
import RedisClient

/// Looks at the topology, each second and after every silence.
extension SimulatedWorld {
    /// A look that begins from now on; `done` gets nil when it failed.
    func look(_ replica: Replica, done: @escaping (TopologyPoll?) -> Void) {
        replica.lookers.append(done)
        lookAgain(replica)
    }

    private func lookAgain(_ replica: Replica) {
        guard !replica.isLooking, !replica.lookers.isEmpty else { return }
        replica.isLooking = true
        let lookers = replica.lookers
        replica.lookers = []
        lookOnce(replica) { [unowned self] poll in
            replica.isLooking = false
            for done in lookers { done(poll) }
            lookAgain(replica)
        }
    }

    private func lookOnce(_ replica: Replica, done: @escaping (TopologyPoll?) -> Void) {
        let turn = replica.looks
        replica.looks += 1
        let trip = trip(replica)
        guard !trip.isLost, !trip.answerIsLost else { return after(.seconds(1), in: replica) { done(nil) } }
        after(trip.there) { [unowned self] in
            guard let poll = poll(replica, number: turn) else {
                return after(.seconds(1), in: replica) { done(nil) }
            }
            after(trip.back, in: replica) { [unowned self] in
                replica.topology = poll
                followView(replica)
                replica.deliveryMachine.note(poll)
                pump(replica)
                done(poll)
            }
        }
    }

    func lookEachSecond(_ replica: Replica) {
        look(replica) { [unowned self] _ in
            let interval = isHealed ? .seconds(1) : conditions.lookEvery
            let pause = interval * (Double(random.pick(201) + 900) / 1_000)
            after(pause, in: replica) { [unowned self] in
                lookEachSecond(replica)
            }
        }
    }

    func lookSoon(_ replica: Replica) {
        guard !replica.lookIsPlanned else { return }
        replica.lookIsPlanned = true
        after(.milliseconds(20), in: replica) { [unowned self] in
            replica.lookIsPlanned = false
            look(replica) { _ in }
        }
    }

    /// After a silence: a node's events count only from when it and the others agree about its role.
    ///
    /// - Parameter isLast: its connection has ended, and it cannot be asked any more after these attempts.
    func settle(_ log: NodeLog, _ replica: Replica, attempts: Int, isLast: Bool = false) {
        guard let silence = log.openSilence else { return }
        settle(log, replica, silence, attempts: attempts, isLast: isLast, pause: .milliseconds(20))
    }

    private func settle(
        _ log: NodeLog, _ replica: Replica, _ silence: Int, attempts: Int, isLast: Bool, pause: Duration
    ) {
        look(replica) { [unowned self] poll in
            if let poll, poll.settles(log.address) {
                trace.note("decided", replica.life, UInt64(poll.number), log.runID)
                log.decide(
                    look: poll.number, about: silence, isDeposed: poll.topology.claim(of: log.address).isEmpty)
                replica.deliveryMachine.note(poll)
                pump(replica)
                if log.openSilence != silence { return }
            }
            guard attempts > 1 else {
                if isLast { log.abandonDoubt(about: silence) }
                return
            }
            after(pause, in: replica) { [unowned self] in
                settle(
                    log, replica, silence, attempts: attempts - 1, isLast: isLast,
                    pause: min(pause * 2, .milliseconds(200)))
            }
        }
    }
}
