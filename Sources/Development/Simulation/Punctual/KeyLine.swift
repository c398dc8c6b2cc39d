import RESP

/// The connection of questions, nudges, pages and TIME to one server.
///
/// The server takes them in their order: a write that has to wait, where writes are paused, holds up
/// all behind it.
final class KeyLine {
    enum Answer {
        case values([RESPValue])
        case page(next: String, keys: [Int])
    }

    final class Request {
        /// It waits while writes are paused.
        let isWrite: Bool
        /// Carried out at the server; what TIME said comes with it.
        let perform: (RESPValue) -> Answer
        /// What TIME said, which comes first and waits for nothing.
        var time: RESPValue?
        private var done: ((Answer?) -> Void)?

        init(isWrite: Bool, perform: @escaping (RESPValue) -> Answer, done: @escaping (Answer?) -> Void) {
            self.isWrite = isWrite
            self.perform = perform
            self.done = done
        }

        /// Nil for none: it was given up, or the connection is gone. Given up, it may still be carried out.
        func finish(_ answer: Answer?) {
            let done = done
            self.done = nil
            done?(answer)
        }

        var isOver: Bool { done == nil }
    }

    let server: KeyServer
    var isOpen = true
    /// Arrived, and not carried out.
    var backlog: [Request] = []
    /// Sent, and not answered.
    var underWay: [Request] = []
    var lastArrival: Duration = .zero
    var lastAnswer: Duration = .zero
    /// Answers that came: whether it is silent.
    var answers = 0
    var isProbing = false

    init(_ server: KeyServer) { self.server = server }
}

/// A subscription to what sets TTLs.
final class HintLine {
    unowned let asker: Asker
    /// False once it is cut, noticed or not.
    var isFlowing = true

    init(_ asker: Asker) { self.asker = asker }
}
