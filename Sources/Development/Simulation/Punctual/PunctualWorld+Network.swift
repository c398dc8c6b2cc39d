import RESP
import Timing

/// Messages between the leader and the servers.
extension PunctualWorld {
    /// As the product's connections have it.
    private static let timeout = Duration.seconds(2)

    var delay: Duration { slowUntil > now ? random.milliseconds(1...60) : random.microseconds(100...2_000) }

    /// Sends a request over the asker's connection, which is made when there is none.
    ///
    /// - Parameter then: is told what came back, nil for nothing.
    func send(
        _ asker: Asker, isWrite: Bool = false, _ perform: @escaping (_ time: RESPValue) -> KeyLine.Answer,
        then: @escaping (KeyLine.Answer?) -> Void
    ) {
        let server = asker.server
        guard !server.isDown else { return after(delay) { then(nil) } }
        let line: KeyLine
        if let present = asker.line, present.isOpen {
            line = present
        } else {
            line = KeyLine(server)
            asker.line = line
            server.lines.append(line)
        }
        let request = KeyLine.Request(isWrite: isWrite, perform: perform, done: then)
        line.underWay.append(request)
        line.lastArrival = max(line.lastArrival, now + delay)
        after(line.lastArrival - now) { [unowned self] in
            guard line.isOpen else { return }
            line.backlog.append(request)
            drain(line)
        }
        after(Self.timeout) { [unowned self] in giveUp(request, line) }
    }

    /// The server carries out what has arrived, as far as nothing holds it up.
    func drain(_ line: KeyLine) {
        let server = line.server
        while line.isOpen, server.isReachable(now), let request = line.backlog.first {
            let time = request.time ?? told(server)
            request.time = time
            if request.isWrite, server.isPaused(now) { return }
            line.backlog.removeFirst()
            let answer = request.perform(time)
            line.lastAnswer = max(line.lastAnswer, now + delay)
            after(line.lastAnswer - now) {
                guard line.isOpen else { return }
                line.answers += 1
                line.underWay.removeAll { $0 === request }
                request.finish(answer)
            }
        }
    }

    /// Nothing keeps the server from answering any more, or something else does.
    func drain(_ server: KeyServer) {
        for line in server.lines { drain(line) }
    }

    /// It may still be carried out. A connection on which nothing comes from now on is closed.
    private func giveUp(_ request: KeyLine.Request, _ line: KeyLine) {
        guard !request.isOver, line.isOpen else { return }
        request.finish(nil)
        guard !line.isProbing else { return }
        line.isProbing = true
        let answers = line.answers
        after(Self.timeout) { [unowned self] in
            line.isProbing = false
            if line.isOpen, line.answers == answers { cut(line) }
        }
    }

    func cut(_ line: KeyLine) {
        line.isOpen = false
        line.server.lines.removeAll { $0 === line }
        let left = line.underWay
        (line.underWay, line.backlog) = ([], [])
        for request in left { request.finish(nil) }
    }

    // MARK: - Tasks that wait

    func ring(_ bell: AskerBell) {
        if let resume = bell.ring() { after(.zero, resume) }
    }

    /// - Parameter until: nil: for a ring alone.
    func wait(_ bell: AskerBell, until: Duration?, _ resume: @escaping () -> Void) {
        guard let visit = bell.wait(resume) else { return after(.zero, resume) }
        guard let until else { return }
        after(max(until - now, .microseconds(20))) {
            if let resume = bell.timeOut(visit) { resume() }
        }
    }
}
