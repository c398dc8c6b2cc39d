import Lapse
import LeaderElection

/// What becomes of one request on its way there and of its answer on the way back.
struct Trip {
    var there: Duration
    var back: Duration
    var isLost = false
    var answerIsLost = false
    /// The connection is cut after the request was applied: the asker sees an error.
    var isCut = false
    /// The answer comes twice.
    var isDoubled = false
    /// The request is applied a second time.
    var again: Duration?
}

extension SimulatedWorld {
    func trip(_ replica: Replica, register: Int? = nil) -> Trip {
        let badness = network.badUntil > now ? network.badness : 0
        func delay() -> Duration {
            guard random.chance(badness) else { return random.microseconds(100...900) }
            return random.chance(12) ? random.milliseconds(400...2_600) : random.milliseconds(1...400)
        }
        var trip = Trip(there: delay(), back: delay())
        if badness > 0 {
            network.lastTrouble = now
            trip.isLost = random.chance(badness / 2)
            trip.answerIsLost = random.chance(badness / 2)
            trip.isCut = random.chance(badness / 3)
            trip.isDoubled = random.chance(badness / 2)
            if random.chance(badness / 3) { trip.again = random.milliseconds(1...2_500) }
        }
        if let register, isCutOff(replica, from: register) { trip.isLost = true }
        return trip
    }

    func isCutOff(_ replica: Replica, from register: Int) -> Bool {
        network.partitions.contains {
            $0.place == replica.place && $0.until > now && $0.registers & (1 << register) != 0
        }
    }

    /// Asks a register something other than for its vote; no answer within the timeout is nil.
    private func ask<Reply>(
        _ replica: Replica, _ register: Int, _ trip: Trip, _ operation: @escaping (inout SimulatedRegister) -> Reply,
        _ answered: @escaping (Reply) -> Void
    ) {
        guard !trip.isLost else { return }
        after(trip.there) { [unowned self] in
            guard !registers[register].isDown, !registers[register].isBlackHole else { return }
            let reply = operation(&registers[register])
            guard !trip.answerIsLost, !trip.isCut else { return }
            after(trip.back, in: replica) { answered(reply) }
        }
        if let again = trip.again {
            after(trip.there + again) { [unowned self] in
                if !registers[register].isDown { _ = operation(&registers[register]) }
            }
        }
    }

    /// The same to every register; `done` gets what came within half a second.
    func askAll<Reply>(
        _ replica: Replica, _ operation: @escaping (inout SimulatedRegister) -> Reply,
        done: @escaping ([Reply?]) -> Void
    ) {
        let replies = Replies<Reply>(count: registers.count)
        for register in registers.indices {
            ask(replica, register, trip(replica, register: register), operation) { reply in
                guard !replies.isOver else { return }
                replies.answers[register] = reply
                guard replies.answers.allSatisfy({ $0 != nil }) else { return }
                replies.isOver = true
                done(replies.answers)
            }
        }
        after(.milliseconds(500), in: replica) {
            guard !replies.isOver else { return }
            replies.isOver = true
            done(replies.answers)
        }
    }

    /// Sends a command to a node; nil when it did not answer within `timeout`.
    func ask<Reply>(
        _ replica: Replica, node: SimulatedNode, timeout: Duration = .seconds(2),
        _ operation: @escaping () -> Reply, done: @escaping (Reply?) -> Void
    ) {
        let trip = trip(replica)
        let replies = Replies<Reply>(count: 1)
        if !trip.isLost {
            after(trip.there) { [unowned self] in
                // The request names the server that is meant.
                guard node.isUp, !node.process.isForeign || defect == .addressBelieved else { return }
                let life = node.lives
                let serve = { [unowned self] in
                    guard node.lives == life, node.isUp else { return }
                    let reply = operation()
                    guard !trip.answerIsLost, !trip.isCut else { return }
                    after(trip.back, in: replica) {
                        guard !replies.isOver else { return }
                        replies.isOver = true
                        done(reply)
                    }
                }
                // A frozen server does it once it goes on.
                if node.isFrozen(now) { node.deferred.append(serve) } else { serve() }
            }
        }
        after(timeout, in: replica) {
            guard !replies.isOver else { return }
            replies.isOver = true
            done(nil)
        }
    }
}

private final class Replies<Reply> {
    var answers: [Reply?]
    var isOver = false

    init(count: Int) { answers = Array(repeating: nil, count: count) }
}
