import Lapse
import LeaderElection
import NIOCore

/// A leader's hole, its question to the peers, and their answers in a short-lived list.
extension World {
    func repair(_ hole: Repairer.Hole, _ replica: Replica, _ body: Body) {
        let others = replica.peers.subtracting([replica.id])
        guard !others.isEmpty else { return conclude(hole, replica, body) }
        ledger.requests += 1
        let nonce = "n\(ledger.requests)"
        let request = RepairRequest(nonce: nonce, asker: replica.id, runID: hole.runID, ordinals: hole.ordinals)
        let trip = trip(replica)
        guard !trip.isLost else {
            return after(.seconds(2), in: replica) { [unowned self] in conclude(hole, replica, body) }
        }
        after(trip.there) { [unowned self] in
            guard let heard = RepairRequest(request.text) else { return }
            for node in nodes where node.answers(now) {
                for connection in node.connections where connection.replica !== replica {
                    send(.repair(heard), connection)
                }
            }
        }
        let tally = Tally(RepairTally(hole.ordinals, peers: others))
        collect(hole, nonce, tally, until: now + .seconds(2), replica, body)
    }

    private func collect(
        _ hole: Repairer.Hole, _ nonce: String, _ tally: Tally, until end: Duration, _ replica: Replica, _ body: Body
    ) {
        after(.milliseconds(11), in: replica) { [unowned self] in
            for bytes in answers.removeValue(forKey: nonce) ?? [] {
                guard let answer = RepairAnswer(ByteBuffer(bytes: bytes)) else { continue }
                tally.value.take(answer) { heard in
                    replica.logs[hole.runID]?.insert(
                        heard, look: replica.looks, now: replica.clock.milliseconds(now)) ?? 0
                }
            }
            guard tally.value.isOver || now >= end else {
                return collect(hole, nonce, tally, until: end, replica, body)
            }
            conclude(hole, replica, body)
        }
    }

    private func conclude(_ hole: Repairer.Hole, _ replica: Replica, _ body: Body) {
        guard let lost = replica.intake.settle(hole), replica.body === body else { return }
        if hole.isSurvey, let process = ledger.processes[hole.runID],
            hasTrouble(replica) || now - process.bornAt < .seconds(4)
        {
            process.wasAskedFor = false
        }
        if !hole.isSurvey { report(hole, lost, replica, body) }
        pump(replica)
    }

    /// A peer hears the request by every feed, and answers once.
    func answerPeer(_ request: RepairRequest, _ replica: Replica) {
        guard replica.requestsHeard.isNew(request, for: replica.id) else { return }
        push(RepairReply(to: request, from: replica.id), request, replica)
    }

    private func push(_ reply: RepairReply, _ request: RepairRequest, _ replica: Replica) {
        var reply = reply
        guard let piece = reply.next(from: replica.logs[request.runID]) else { return }
        let trip = trip(replica)
        guard !trip.isLost else { return }
        after(trip.there) { [unowned self] in
            answers[request.nonce, default: []].append(piece.bytes)
            after(trip.back, in: replica) { [unowned self] in push(reply, request, replica) }
        }
    }
}

private final class Tally {
    var value: RepairTally
    init(_ value: RepairTally) { self.value = value }
}
