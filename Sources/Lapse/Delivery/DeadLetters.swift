import LeaderElection
import Logging
import NIOCore
import RESP
import RedisClient
import Synchronization
import Timing

/// Where expirations go that no attempt could handle: a stream, or the log.
///
/// No lane waits for the stream: one task writes, and its failures hold up no handler. The expiration
/// stays pending, and its key waits, until the letter is written or given up; then the log says why the
/// stream lacks it.
final class DeadLetters: Sendable {
    /// A stream, and the client that reaches it.
    struct Stream: Sendable {
        var key: String
        var client: KeyedClient
    }

    /// What becomes of an expiration whose letter was dealt with.
    struct Listeners: Sendable {
        var buried: @Sendable (Delivery) -> Void
        var givenBack: @Sendable (Delivery) -> Void
    }

    /// About this many entries are kept; older ones make room.
    static let streamLimit = 1_000_000

    private let stream: Stream?
    private let logger: Logger
    private let bell: Doorbell
    private let keys: KeyDisclosure
    private let queue = Mutex(DeadLetterQueue())
    /// How many wait in the stream.
    let count: LetterCount

    /// - Parameters:
    ///   - stream: nil for the log.
    ///   - counting: what the looks at the stream wait with.
    init(
        stream: Stream?, logger: Logger, bell: Doorbell, counting: Doorbell? = nil, keys: KeyDisclosure = .full
    ) {
        count = LetterCount(counting == nil ? nil : stream, bell: counting ?? bell, logger: logger)
        self.keys = keys
        self.stream = stream
        self.logger = logger
        self.bell = bell
    }

    /// Takes over an expiration that was handed out. True if that is all: the log has it. Else
    /// ``run(_:_:)`` tells how it ended.
    func bury(_ delivery: Delivery, error: String) -> Bool {
        let letter = DeadLetter(delivery: delivery, error: error)
        guard stream != nil else {
            log(letter)
            return true
        }
        queue.withLock { $0.add(letter, now: SystemClock.read().monotonic) }
        bell.ring()
        return false
    }

    /// A term begins: nothing is left of the last one, whose expirations are pending again.
    func begin() { _ = queue.withLock { $0.takeAll() } }

    /// Writes until cancelled.
    func run(_ term: Term, _ listeners: Listeners) async {
        guard let stream else { return }
        while !Task.isCancelled {
            switch queue.withLock({ $0.next(now: SystemClock.read().monotonic) }) {
            case .log(let letter, let reason):
                log(letter, lackedBecause: reason)
                listeners.buried(letter.delivery)
            case .write(let letters):
                guard let errors = await unlessCancelled({ await self.write(letters, to: stream, term) }) else {
                    continue
                }
                let (reasons, now) = (errors.map { $0?.text }, SystemClock.read().monotonic)
                let isNews = queue.withLock { $0.wrote(reasons, now: now) }
                if isNews, let error = errors.lazy.compactMap({ $0 }).first { say(error, stream.key) }
                for (letter, error) in zip(letters, errors) where error == nil {
                    log(letter)
                    listeners.buried(letter.delivery)
                }
            case .wait(let time): _ = await bell.wait(upTo: time)
            }
        }
        for delivery in queue.withLock({ $0.takeAll() }) { listeners.givenBack(delivery) }
    }

    /// Says what will keep letters from being written, if anything does: at the start, and when a term
    /// begins.
    func check() async { _ = await unlessCancelled { await self.lookAtStream() } }

    private func lookAtStream() async {
        guard let stream else { return }
        do throws(RedisError) {
            // Refused for its position in any case, but only after everything else; it makes no stream.
            _ = try await stream.client.send(RESPCommand("XADD", stream.key, "0-0", "key", ""), key: stream.key)
        } catch {
            guard case .reply(let reply) = error.kind, reply.code == "ERR", reply.text.contains("0-0") else {
                return say(error, stream.key)
            }
        }
        // A user that may not ask learns it from the first letter.
        guard let type = try? await stream.client.send(RESPCommand("TYPE", stream.key), key: stream.key).string,
            type != "none", type != "stream"
        else { return }
        let error = RESPError("WRONGTYPE the key holds a \(type), and no stream")
        say(RedisError(error, node: stream.client.node(for: stream.key)), stream.key)
    }

    /// Returns of each letter why it is not in the stream, or nil: it is.
    private func write(_ letters: [DeadLetter], to stream: Stream, _ term: Term) async -> [RedisError?] {
        // Never past the lease.
        let limit = min(.seconds(2), max(term.lease.remaining, .milliseconds(1)))
        return await withTaskGroup(of: (Int, RedisError?).self, returning: [RedisError?].self) { group in
            for (index, letter) in letters.enumerated() {
                // Beside each other, over one connection: all wait for one round trip.
                group.addTask { (index, await self.failure(writing: letter, to: stream, term, within: limit)) }
            }
            var failures = [RedisError?](repeating: nil, count: letters.count)
            for await (index, failure) in group { failures[index] = failure }
            return failures
        }
    }

    private func failure(
        writing letter: DeadLetter, to stream: Stream, _ term: Term, within limit: Duration
    ) async -> RedisError? {
        let delivery = letter.delivery
        let record = DeadLetterRecord(
            key: delivery.key.bytes, database: delivery.database, node: delivery.node, runID: delivery.runID,
            ordinal: delivery.ordinal, origin: delivery.origin.rawValue, attempts: UInt64(delivery.attempt),
            error: letter.error, term: term.number, token: term.token.rawValue, deadline: delivery.deadline)
        let command = record.adding(to: stream.key, limit: Self.streamLimit)
        do throws(RedisError) {
            _ = try await stream.client.send(command, key: stream.key, timeout: limit)
            return nil
        } catch { return error }
    }

    private func log(_ letter: DeadLetter, lackedBecause reason: String? = nil) {
        let delivery = letter.delivery
        var metadata: Logger.Metadata = [
            "key": "\(keys.text(delivery.key))", "node": "\(delivery.node)",
            "position": "\(delivery.runID):\(delivery.ordinal)",
            "attempts": .stringConvertible(delivery.attempt), "error": "\(letter.error)",
        ]
        if let reason { metadata["notInStream"] = "\(reason)" }
        logger.error("dead-lettered", metadata: metadata)
    }

    private func say(_ error: RedisError, _ key: String) {
        logger.error(
            "dead letters cannot be written: the log has them instead",
            metadata: ["stream": "\(key)", "error": "\(error)", "fix": "\(Self.fix(error, key))"])
    }

    private static func fix(_ error: RedisError, _ key: String) -> String {
        guard case .reply(let reply) = error.kind else {
            return error.isPermanent
                ? "'lapse doctor --acl' prints the rights needed" : "see that this server can be reached"
        }
        return switch reply.code {
        case "WRONGTYPE": "name another key by --dead-letter, or delete \(key)"
        case "OOM": "raise maxmemory, or free memory on this server"
        case "MISCONF", "NOREPLICAS": "mend what keeps this server from taking writes"
        default: "see what this server says about XADD \(key)"
        }
    }
}
