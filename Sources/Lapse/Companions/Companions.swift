import LeaderElection
import Logging
import NIOCore
import RESP
import RedisClient
import Synchronization
import Timing

/// Gets the value of an expired key from its companion, and deletes the companion once the value has
/// been handled.
final class Companions: Sendable {
    /// What is known of an expiration before its handler runs.
    enum Preparation: Sendable, Equatable {
        /// With the value; nil where there is none.
        case ready([UInt8]?)
        /// Found by its companion, and by now the companion is gone or the timer is back: nothing has expired.
        /// Or the value has been to the handler before, in this term, and is a dead letter.
        case groundless
        /// The companion cannot be read now.
        case later
    }

    let rules: CompanionRules
    /// By database: a connection speaks to one.
    private let clients: [UInt16: KeyedClient]
    private let isCluster: Bool
    private let logger: Logger
    private let disclosure: KeyDisclosure
    private let told = Mutex<Set<String>>([])
    private let unreadLine = Mutex(LineLimit(every: .seconds(60)))
    private let tooLargeLine = Mutex(LineLimit(every: .seconds(1)))
    private let unsettled = Mutex(UnsettledValues())
    private let outOfReach = Mutex(NodesOutOfReach())
    /// A larger value is not read: every lane could hold one.
    static let valueLimit = 16 << 20
    /// A lane does not wait longer for a companion. What is late is asked for again, by the next attempt.
    private static let patience = Duration.milliseconds(500)

    init(
        _ rules: CompanionRules, clients: [UInt16: KeyedClient], isCluster: Bool, logger: Logger,
        disclosure: KeyDisclosure = .full
    ) {
        self.disclosure = disclosure
        self.rules = rules
        self.clients = clients
        self.isCluster = isCluster
        self.logger = logger
    }

    /// These timers run: what becomes of them next is news, whatever their values.
    func areSet(_ timers: [ReconcileMachine.Orphan]) {
        guard !timers.isEmpty else { return }
        unsettled.withLock { unsettled in
            for timer in timers { unsettled.settle(timer) }
        }
    }

    func beginTerm() { unsettled.withLock { $0.begin() } }

    /// Reads the companion of an expired key, in one attempt: a lane must not wait for a slot that moves,
    /// or a node that does not answer. Returns at once when the task is cancelled.
    func prepare(_ delivery: Delivery) async -> Preparation {
        guard let companion = companion(of: delivery.key.bytes), let client = clients[delivery.database] else {
            return delivery.origin == .reconcile ? .groundless : .ready(nil)
        }
        let isSuspicion = delivery.origin == .reconcile
        let keys = [delivery.key.bytes, companion]
        let node = client.node(for: companion)
        if let node, !outOfReach.withLock({ $0.mayAsk(node, now: SystemClock.read().monotonic) }) { return .later }
        let arguments = [Array(isSuspicion ? "1".utf8 : "0".utf8), Array("\(Self.valueLimit)".utf8)]
        let answer = await unlessCancelled { () async -> Result<RESPValue, RedisError> in
            do throws(RedisError) {
                return .success(
                    try await client.run(
                        Self.read, keys: keys, arguments: arguments, timeout: Self.patience, isPatient: false))
            } catch {
                return .failure(error)
            }
        }
        if let node { noteReach(of: node, answer) }
        switch answer {
        case .success(let reply):
            var value = reply.bytes.map { Array($0.readableBytesView) }
            if case .integer(let bytes) = reply {
                tooLarge(delivery, companion, bytes)
                // Its size stands for it: what no sweep deletes must not be handed out by each of them.
                value = Array("\(bytes)".utf8)
            }
            guard let value else { return isSuspicion ? .groundless : .ready(nil) }
            let isNews = unsettled.withLock { unsettled in
                unsettled.handOut(value, of: delivery.timer, origin: delivery.origin, receivedAt: delivery.received)
            }
            guard isNews else { return .groundless }
            return .ready(reply.bytes == nil ? nil : value)
        case .failure(let error) where error.kind.isTheKeysOwn || error.isPermanent:
            // Waiting would mend nothing; the companion stays where it is.
            refused(error, companion)
            return isSuspicion ? .groundless : .ready(nil)
        case .failure(let error):
            unread(delivery, error)
            return .later
        case nil: return .later
        }
    }

    /// An error reply is an answer too.
    private func noteReach(of node: NodeAddress, _ answer: Result<RESPValue, RedisError>?) {
        let now = SystemClock.read().monotonic
        outOfReach.withLock { outOfReach in
            switch answer {
            case .failure(let error) where !error.isReply: outOfReach.failed(node, now: now)
            case nil: outOfReach.failed(node, now: now)
            case .success, .failure: outOfReach.answered(node)
            }
        }
    }

    private func unread(_ delivery: Delivery, _ error: RedisError) {
        let now = SystemClock.read().monotonic
        guard let count = unreadLine.withLock({ $0.happened(now: now) }) else { return }
        logger.warning(
            "companion not read: its expiration waits",
            metadata: [
                "key": "\(disclosure.text(delivery.key))", "error": "\(error)", "attempts": .stringConvertible(count),
            ])
    }

    private func tooLarge(_ delivery: Delivery, _ companion: [UInt8], _ bytes: Int64) {
        let now = SystemClock.read().monotonic
        guard let count = tooLargeLine.withLock({ $0.happened(now: now) }) else { return }
        logger.error(
            "companion too large: handled without its value",
            metadata: [
                "key": "\(disclosure.text(delivery.key))", "companion": "\(disclosure.text(companion))",
                "bytes": .stringConvertible(bytes),
                "limit": .stringConvertible(Self.valueLimit), "count": .stringConvertible(count),
                "fix": "keep what is large in a key of its own, and its name in the companion; delete this one",
            ])
    }

    /// The value has been handled: deletes the companion, unless its timer is back or it holds another
    /// value by now.
    func settle(_ delivery: Delivery, _ value: [UInt8]) async {
        // Whether or not the companion can be deleted: what is found again is to be handled again.
        unsettled.withLock { $0.settle(delivery.timer) }
        guard let companion = companion(of: delivery.key.bytes), let client = clients[delivery.database] else { return }
        let keys = [delivery.key.bytes, companion]
        let failure = await unlessCancelled { () async -> RedisError? in
            do throws(RedisError) {
                _ = try await client.run(Self.delete, keys: keys, arguments: [value])
                return nil
            } catch {
                return error
            }
        }
        guard let failure = failure ?? nil else { return }
        logger.warning(
            "companion not deleted: reconciliation will handle it again",
            metadata: ["key": "\(disclosure.text(delivery.key))", "error": "\(failure)"])
    }

    /// The companion of a timer, if a rule names one that can be reached together with it.
    func companion(of timer: [UInt8]) -> [UInt8]? {
        guard let (key, rule) = rules.companion(of: timer) else { return nil }
        guard isCluster, HashSlot.of(timer) != HashSlot.of(key) else { return key }
        if told.withLock({ $0.insert("slot \(rule)").inserted }) {
            logger.error(
                "companion in another slot: handled without a value",
                metadata: [
                    "rule": "\(rules.rules[rule])", "key": "\(disclosure.text(timer))",
                    "companion": "\(disclosure.text(key))",
                    "fix": "write keys with a hash tag, such as session:{42} and session-data:{42}",
                ])
        }
        return nil
    }

    private func refused(_ error: RedisError, _ companion: [UInt8]) {
        guard told.withLock({ $0.insert("\(error.kind)").inserted }) else { return }
        logger.error(
            "companion cannot be read: handled without a value",
            metadata: [
                "companion": "\(disclosure.text(companion))", "error": "\(error)",
                "fix": "companions are strings, written by SET; lapse doctor --acl --companion … prints the rights",
            ])
    }

    /// KEYS: timer, companion. ARGV: 1 when the timer must be absent, and the largest value wanted: of a
    /// larger one the size is returned. A user that may not ask for the size reads first; a larger value
    /// then only stays on the server.
    private static let read = Script(
        """
        if ARGV[1] == '1' and redis.call('EXISTS', KEYS[1]) == 1 then return false end
        local limit = tonumber(ARGV[2])
        local size = redis.pcall('STRLEN', KEYS[2])
        if type(size) == 'number' and size > limit then return size end
        local value = redis.pcall('GET', KEYS[2])
        if type(value) == 'string' and #value > limit then return #value end
        return value
        """)

    /// KEYS: timer, companion. ARGV: the value that was handled.
    private static let delete = Script(
        """
        if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
        if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
        return redis.call('DEL', KEYS[2])
        """)
}

extension Delivery {
    fileprivate var timer: ReconcileMachine.Orphan {
        ReconcileMachine.Orphan(timer: key.bytes, database: database)
    }
}

extension RedisError {
    fileprivate var isReply: Bool {
        if case .reply = kind { true } else { isPermanent }
    }
}

extension RedisError.Kind {
    /// The server has answered, and will answer the same again: no string, or a command that a script may
    /// not run.
    fileprivate var isTheKeysOwn: Bool {
        guard case .reply(let error) = self else { return false }
        return error.code == "WRONGTYPE" || error.code == "ERR"
    }
}
