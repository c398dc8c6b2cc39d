import Logging
import RESP
import RedisClient
import Synchronization
import Timing

/// What is said of what does not work.
extension RunningWorker {
    func worked(_ what: String, _ partition: String) {
        // Mostly there are none, and this comes with each order.
        if troubles.withLock({ !$0.isEmpty && $0.succeeded("\(partition): \(what)") }) { answersAgain() }
    }

    func answersAgain() {
        logger.notice("the stream answers again", metadata: ["stream": "\(configuration.stream)"])
    }

    /// The end waits for handlers that do not end though they were cancelled.
    func waitsForHandlers(_ count: Int) {
        guard count > 0 else { return }
        logger.error(
            "handlers do not end though they were cancelled",
            metadata: [
                "count": .stringConvertible(count),
                "fix": "let the handler end when its task is cancelled: others handle what it has",
            ])
    }

    /// So many of its lanes are held up by handlers that are long past their time.
    func doNotEnd(_ count: Int, of lanes: Int) {
        let what = "handlers"
        guard count > 0 else {
            if handlerTroubles.withLock({ $0.succeeded(what) }) { logger.notice("handlers end again") }
            return
        }
        let text = "\(count) of \(lanes) do not end though they were cancelled"
        let now = SystemClock.read().monotonic
        guard handlerTroubles.withLock({ $0.failed(what, text, as: what, now: now) }) else { return }
        logger.error(
            "handlers do not end though they were cancelled",
            metadata: [
                "count": .stringConvertible(count),
                "fix": "let the handler end when its task is cancelled: what it has is kept from other workers",
            ])
    }

    func failed(_ what: String, _ partition: String, _ error: RedisError) {
        // Cut short by the end.
        if Task.isCancelled { return }
        let now = SystemClock.read().monotonic
        // Its words are the same for each such key of a server, and an operator is to know all of them.
        let news = error.text.contains("WRONGTYPE") ? "\(partition): WRONGTYPE" : nil
        guard troubles.withLock({ $0.failed("\(partition): \(what)", error.description, as: news, now: now) }) else {
            return
        }
        logger.error(
            "the stream cannot be worked on",
            metadata: [
                "stream": "\(partition)", "group": "\(configuration.group)", "command": "\(what)", "error": "\(error)",
                "fix": "\(fix(error, partition))",
            ])
    }

    private func fix(_ error: RedisError, _ partition: String) -> String {
        if error.kind == .denied { return "give this user the rights of a worker, which the manual lists" }
        if error.kind == .protocolViolation {
            return "nothing, if the answer was too large: what it held is asked for in parts"
        }
        guard case .reply(let reply) = error.kind else { return "see that this server can be reached" }
        return switch reply.code {
        case "WRONGTYPE": "delete \(partition), or name another stream"
        case "NOGROUP": "make it: XGROUP CREATE \(partition) \(configuration.group) 0 MKSTREAM"
        case "OOM": "raise maxmemory, or free memory on this server"
        default: "see what this server says about XREADGROUP of \(partition)"
        }
    }
}
