import Lapse
import LeaderElection
import NIOCore
import Timing

/// A leader's hole, its question to the peers, and their answers in a short-lived list.
extension SimulatedWorld {
    /// The server through which questions are put, and which keeps the answers.
    var switchboard: SimulatedNode { nodes[shards[shards.count / 2].master] }

    func repair(_ hole: Repairer.Hole, _ replica: Replica, _ body: Body) {
        let others = replica.peers.subtracting([replica.id])
        trace.note(
            "asks", replica.life, hole.ordinals.lowerBound, "\(hole.runID) \(hole.ordinals) of \(others.sorted())")
        ask(hole, for: hole, replica, body) { [unowned self] end in
            lookAtOwnLocks(hole, replica) { [unowned self] in
                guard replica.body === body, replica.deliveryMachine.waits(for: hole) else { return }
                // Where else an own lock may have ended is asked about first.
                askBesides(hole, end, replica, body) { [unowned self] in conclude(hole, end, replica, body) }
            }
        }
    }

    /// Until nothing is left to ask, or a peer keeps silent.
    private func askBesides(
        _ hole: Repairer.Hole, _ end: RepairInquiry.End, _ replica: Replica, _ body: Body, done: @escaping () -> Void
    ) {
        let others = holesOfOwnLocks(besides: hole, end, replica)
        guard !others.isEmpty else { return done() }
        askThrough(others, for: hole, replica, body) { [unowned self] isAnswered in
            guard isAnswered else { return done() }
            askBesides(hole, end, replica, body, done: done)
        }
    }

    private func askThrough(
        _ others: [Repairer.Hole], for hole: Repairer.Hole, _ replica: Replica, _ body: Body,
        done: @escaping (_ isAnswered: Bool) -> Void
    ) {
        guard let other = others.first else { return done(true) }
        trace.note("asks besides", replica.life, other.ordinals.lowerBound, "\(hole.runID) \(other.ordinals)")
        ask(other, for: hole, replica, body) { [unowned self] end in
            guard end != .unanswered else { return done(false) }
            let rest = other.rest(after: end)
            askThrough((rest.map { [$0] } ?? []) + others.dropFirst(), for: hole, replica, body, done: done)
        }
    }

    private func ask(
        _ hole: Repairer.Hole, for awaited: Repairer.Hole, _ replica: Replica, _ body: Body,
        done: @escaping (RepairInquiry.End) -> Void
    ) {
        let inquiry = RepairInquiry(hole, peers: replica.peers.subtracting([replica.id]))
        goOn(Question(hole, "n\(replica.life)", inquiry), for: awaited, replica, body, done: done)
    }

    private func goOn(
        _ question: Question, for awaited: Repairer.Hole, _ replica: Replica, _ body: Body,
        done: @escaping (RepairInquiry.End) -> Void
    ) {
        take(question, replica)
        guard replica.body === body, replica.deliveryMachine.waits(for: awaited) else { return }
        question.inquiry.note(peers: replica.peers.subtracting([replica.id]))
        switch question.inquiry.next(now: replica.clock.read(now).monotonic, leads: leaseIsValid(replica, body)) {
        case .ask:
            publish(request(question, replica), replica) { [unowned self] isPut in
                if isPut { question.inquiry.asked(now: replica.clock.read(now).monotonic) }
                goOn(question, for: awaited, replica, body, done: done)
            }
        case .wait:
            after(.milliseconds(11), in: replica) { [unowned self] in
                goOn(question, for: awaited, replica, body, done: done)
            }
        case .over(let end): done(end)
        }
    }

    /// Under the name that it has now.
    private func request(_ question: Question, _ replica: Replica) -> RepairRequest {
        if let request = question.request, question.round == question.inquiry.round { return request }
        ledger.requests += 1
        let request = RepairRequest(
            nonce: "\(question.account).\(ledger.requests)", asker: replica.id, runID: question.hole.runID,
            ordinals: question.hole.ordinals)
        (question.request, question.round) = (request, question.inquiry.round)
        return request
    }

    private func publish(_ request: RepairRequest, _ replica: Replica, done: @escaping (Bool) -> Void) {
        ask(replica, node: switchboard) { [unowned self] () -> Bool in
            guard !refusesFirstTry("\(replica.id) \(request.text)") else { return false }
            if let account = request.account { accounts[account] = now + RepairMailbox.life }
            guard let heard = RepairRequest(request.text) else { return true }
            for node in nodes where node.answers(now) {
                for connection in node.connections where connection.replica !== replica {
                    send(.repair(heard), connection)
                }
            }
            return true
        } done: { reply in
            done(reply == true)
        }
    }

    private func take(_ question: Question, _ replica: Replica) {
        guard switchboard.answers(now), let request = question.request,
            let list = answers.removeValue(forKey: request.nonce), now < list.until
        else { return }
        for bytes in list.elements {
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
            trace.note("catches up", replica.life, hole.ordinals.lowerBound, "\(hole.runID) \(hole.ordinals)")
            catchUp(Question(hole, "c\(replica.life)", RepairInquiry(hole, peers: peers)), replica)
        }
        after(.seconds(1), in: replica) { [unowned self] in catchUp(replica) }
    }

    private func catchUp(_ question: Question, _ replica: Replica) {
        take(question, replica)
        question.inquiry.note(peers: replica.peers.subtracting([replica.id]))
        switch question.inquiry.next(now: replica.clock.read(now).monotonic, leads: true) {
        case .ask:
            publish(request(question, replica), replica) { [unowned self] isPut in
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
            ask(replica, node: switchboard) { [unowned self] () -> Taken in
                guard !refusesFirstTry("\(replica.id) \(request.nonce)") else { return .refused }
                return put(answer, request) ? .read : .unread
            } done: { [unowned self] taken in
                switch taken {
                case .read: push(reply, request, replica)
                case .unread: break
                case .refused where defect == .refusedAnswerGiven: break
                case .refused, nil: replica.admission.forget(request)
                }
            }
        case .wait:
            after(RepairReply.pause, in: replica) { [unowned self] in push(reply, request, replica) }
        case .over: break
        }
    }

    /// What became of an answer.
    private enum Taken { case read, unread, refused }

    /// False where the asker's account has run out: what is put is not read.
    private func put(_ answer: RepairAnswer, _ request: RepairRequest) -> Bool {
        if let account = request.account {
            guard let until = accounts[account], now < until else { return false }
        }
        var list = answers[request.nonce].flatMap { now < $0.until ? $0 : nil } ?? AnswerList()
        list.elements.append(answer.bytes)
        list.until = now + RepairMailbox.life
        answers[request.nonce] = list
        return true
    }
}

/// What peers have answered to a question; gone some time after the last of it.
struct AnswerList {
    var elements: [[UInt8]] = []
    var until: Duration = .zero
}

/// A question under way.
private final class Question {
    let hole: Repairer.Hole
    let account: String
    /// Nil until it is put.
    var request: RepairRequest?
    var round = 0
    var inquiry: RepairInquiry

    init(_ hole: Repairer.Hole, _ account: String, _ inquiry: RepairInquiry) {
        self.hole = hole
        self.account = account
        self.inquiry = inquiry
    }
}
