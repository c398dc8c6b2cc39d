import Foundation

/// One pipelined connection of `ArmedKeys`, with what is under way on it in order.
final class ArmingLane {
    struct Key {
        let name: String
        let number: Int
        /// Milliseconds.
        let ttl: Int
        let slot: Int
        var notBefore: ContinuousClock.Instant
        var sent = Date.distantPast
        /// Where an ASK redirect pointed, for the next attempt only.
        var askedPort: Int?

        init(name: String, number: Int, ttl: Int, notBefore: ContinuousClock.Instant) {
            self.name = name
            self.number = number
            self.ttl = ttl
            self.notBefore = notBefore
            slot = KeySlot.of(name)
        }

        mutating func delay() { notBefore = .now + .milliseconds(20) }
    }

    enum Outcome {
        case acknowledged(Key)
        case refused(Key, String)
        case unknown(Key)
    }

    private enum Expected {
        /// The reply to AUTH or ASKING.
        case courtesy
        case set(Key, ContinuousClock.Instant)
        case wait(ContinuousClock.Instant)
    }

    let connection: PlainConnection
    private var expected: [Expected] = []
    /// Keys that the master has, until WAIT tells about its replicas.
    private var held: [Key] = []
    private var sentSinceFlush = false

    init(_ connection: PlainConnection, expectsLogin: Bool) {
        self.connection = connection
        if expectsLogin { expected.append(.courtesy) }
    }

    var isIdle: Bool { expected.isEmpty && held.isEmpty }

    /// Keys whose fate is open if the connection ends now.
    var unanswered: [Key] {
        held
            + expected.compactMap {
                guard case .set(let key, _) = $0 else { return nil }
                return key
            }
    }

    func send(_ key: Key, _ now: ContinuousClock.Instant) {
        var key = key
        if key.askedPort != nil {
            connection.send(["ASKING"])
            expected.append(.courtesy)
            key.askedPort = nil
        }
        key.sent = Date()
        connection.send(["SET", key.name, "\(key.number)", "PX", "\(key.ttl)"])
        expected.append(.set(key, now))
        sentSinceFlush = true
    }

    func flush(replicas: Int, _ now: ContinuousClock.Instant) {
        if sentSinceFlush, replicas > 0 {
            connection.send(["WAIT", "\(replicas)", "500"])
            expected.append(.wait(now))
        }
        sentSinceFlush = false
        connection.flush()
    }

    func receive(replicas: Int) -> [Outcome] {
        var outcomes: [Outcome] = []
        let replies = connection.receive()
        for (expectation, reply) in zip(expected, replies) {
            switch (expectation, reply) {
            case (.courtesy, _): break
            case (.set(let key, _), .error(let text)): outcomes.append(.refused(key, text))
            case (.set(let key, _), _):
                if replicas > 0 { held.append(key) } else { outcomes.append(.acknowledged(key)) }
            case (.wait, .integer(let count)) where count >= replicas:
                outcomes += held.map { .acknowledged($0) }
                held = []
            case (.wait, _):
                outcomes += held.map { .unknown($0) }
                held = []
            }
        }
        expected.removeFirst(min(expected.count, replies.count))
        return outcomes
    }

    /// Whether the oldest reply is due for more than a second, which means that the node hangs.
    func isOverdue(_ now: ContinuousClock.Instant) -> Bool {
        for expectation in expected {
            switch expectation {
            case .courtesy: continue
            case .set(_, let since), .wait(let since): return now - since > .seconds(1)
            }
        }
        return false
    }
}
