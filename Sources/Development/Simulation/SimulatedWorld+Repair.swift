import Lapse
import LeaderElection
import NIOCore
import Timing

/// A leader's hole, its question to the peers, and their answers in a short-lived list.
extension SimulatedWorld {
    /// The server through which questions are put, and which keeps the answers.
    var switchboard: SimulatedNode { nodes[shards[shards.count / 2].master] }

    func repair(_ hole: Repairer.Hole, _ replica: Replica, _ body: Body) {
        ledger.requests += 1
        let others = replica.peers.subtracting([replica.id])
        trace.note(
            "asks", replica.life, hole.ordinals.lowerBound, "\(hole.runID) \(hole.ordinals) of \(others.sorted())")
        let nonce = "n.\(ledger.requests)"
        let request = RepairRequest(nonce: nonce, asker: replica.id, runID: hole.runID, ordinals: hole.ordinals)
        goOn(Question(hole, request, RepairInquiry(hole, peers: others)), replica, body)
    }

    private func goOn(_ question: Question, _ replica: Replica, _ body: Body) {
        take(question, replica)
        guard replica.body === body, replica.deliveryMachine.waits(for: question.hole) else { return }
        question.inquiry.note(peers: replica.peers.subtracting([replica.id]))
        switch question.inquiry.next(now: replica.clock.read(now).monotonic, leads: leaseIsValid(replica, body)) {
        case .ask:
            publish(question.request, replica) { [unowned self] isPut in
                if isPut { question.inquiry.asked(now: replica.clock.read(now).monotonic) }
                goOn(question, replica, body)
            }
        case .wait: after(.milliseconds(11), in: replica) { [unowned self] in goOn(question, replica, body) }
        case .over(let end): conclude(question.hole, end, replica, body)
        }
    }

    private func publish(_ request: RepairRequest, _ replica: Replica, done: @escaping (Bool) -> Void) {
        ask(replica, node: switchboard) { [unowned self] in
            guard let heard = RepairRequest(request.text) else { return }
            for node in nodes where node.answers(now) {
                for connection in node.connections where connection.replica !== replica {
                    send(.repair(heard), connection)
                }
            }
        } done: { reply in
            done(reply != nil)
        }
    }

    private func take(_ question: Question, _ replica: Replica) {
        guard switchboard.answers(now) else { return }
        for bytes in answers.removeValue(forKey: question.request.nonce) ?? [] {
            guard let answer = RepairAnswer(ByteBuffer(bytes: bytes)) else { continue }
            trace.note("told", replica.life, UInt64(bytes.count), "\(answer)")
            question.inquiry.take(
                answer, into: replica.logs, look: replica.looks, now: replica.clock.milliseconds(now))
        }
    }

    private func conclude(_ hole: Repairer.Hole, _ end: RepairInquiry.End, _ replica: Replica, _ body: Body) {
        fillWithOwnLocks(hole, end, replica)
        guard let lost = replica.deliveryMachine.settle(hole, end) else { return }
        trace.note("settled", replica.life, lost, "\(hole.runID) \(hole.ordinals) \(end)")
        var part = hole
        part.ordinals = hole.settled(by: end)
        if hole.survey == nil { report(part, lost, replica, body) }
        pump(replica)
    }

    private var answerLimits: RepairReply.Limits {
        var limits = RepairReply.Limits()
        if let bytes = conditions.answerBytes {
            limits.windowBytes = bytes
            limits.pieceBytes = bytes
        }
        return limits
    }

    // MARK: - Catching up

    /// Each second: what is missing in a replica's own logs is asked for, in every role.
    func catchUp(_ replica: Replica) {
        let peers = replica.peers.subtracting([replica.id])
        for hole in replica.catchUp.next(replica.logs, replica.known, peers: peers) {
            ledger.requests += 1
            let request = RepairRequest(
                nonce: "c.\(ledger.requests)", asker: replica.id, runID: hole.runID, ordinals: hole.ordinals)
            trace.note("catches up", replica.life, hole.ordinals.lowerBound, "\(hole.runID) \(hole.ordinals)")
            catchUp(Question(hole, request, RepairInquiry(hole, peers: peers)), replica)
        }
        after(.seconds(1), in: replica) { [unowned self] in catchUp(replica) }
    }

    private func catchUp(_ question: Question, _ replica: Replica) {
        take(question, replica)
        question.inquiry.note(peers: replica.peers.subtracting([replica.id]))
        switch question.inquiry.next(now: replica.clock.read(now).monotonic, leads: true) {
        case .ask:
            publish(question.request, replica) { [unowned self] isPut in
                if isPut { question.inquiry.asked(now: replica.clock.read(now).monotonic) }
                catchUp(question, replica)
            }
        case .wait: after(.milliseconds(11), in: replica) { [unowned self] in catchUp(question, replica) }
        case .over(let end):
            replica.catchUp.settle(question.hole, end, replica.logs)
            pump(replica)
        }
    }

    /// A peer hears the request by every feed, and answers once.
    func answerPeer(_ request: RepairRequest, _ replica: Replica) {
        let time = replica.clock.read(now).monotonic
        guard replica.admission.admits(request, for: replica.id, members: replica.peers, now: time) else { return }
        push(RepairReply(to: request, from: replica.id, limits: answerLimits), request, replica)
    }

    private func push(_ reply: RepairReply, _ request: RepairRequest, _ replica: Replica) {
        var reply = reply
        switch reply.next(from: replica.logs, replica.deliveryMachine.ownership(of:)) {
        case .tell(let answer):
            ask(replica, node: switchboard) { [unowned self] in
                answers[request.nonce, default: []].append(answer.bytes)
            } done: { [unowned self] written in
                guard written != nil else { return replica.admission.forget(request) }
                push(reply, request, replica)
            }
        case .wait:
            after(RepairReply.pause, in: replica) { [unowned self] in push(reply, request, replica) }
        case .over: break
        }
    }
}

/// A question under way.
private final class Question {
    let hole: Repairer.Hole
    let request: RepairRequest
    var inquiry: RepairInquiry

    init(_ hole: Repairer.Hole, _ request: RepairRequest, _ inquiry: RepairInquiry) {
        self.hole = hole
        self.request = request
        self.inquiry = inquiry
    }
}
