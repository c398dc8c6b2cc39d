import RESP
import RedisClient
import Timing

/// One modelled server: its keys, its clock, and what keeps it from answering.
final class KeyServer {
    enum Stored: Equatable {
        case absent
        /// A key without a TTL.
        case persistent
        /// Until the millisecond behind it, by this server's clock.
        case until(Int64)
    }

    let index: Int
    /// Of a standby, that whose place it may take.
    let shard: Int
    let address: NodeAddress
    /// By how much its clock is ahead of the world's: its time is that since 1970.
    var offset: Duration
    /// By number.
    var keys: [Stored]
    /// What stood there before the last write, which a crash may lose.
    var before: [Stored]
    var isMaster: Bool
    var isDown = false
    var pausedUntil: Duration = .zero
    var stalledUntil: Duration = .zero
    /// What is late until then is excused by what befell the server.
    var excusedUntil: Duration = .zero
    /// When the last that it announced is heard.
    var lastHeard: Duration = .zero
    /// The connections of the questions.
    var lines: [KeyLine] = []
    var hintLines: [HintLine] = []

    init(_ index: Int, shard: Int, isMaster: Bool, keys: Int, offset: Duration) {
        self.index = index
        self.shard = shard
        self.isMaster = isMaster
        self.offset = offset
        self.keys = [Stored](repeating: .absent, count: keys)
        before = self.keys
        address = NodeAddress(host: "127.0.0.1", port: Self.firstPort + index)
    }

    static let firstPort = 7_000

    /// Milliseconds since 1970.
    func time(_ now: Duration) -> Int64 { (now + offset).inNanoseconds / 1_000_000 }

    /// What TIME answers.
    func told(_ now: Duration) -> RESPValue { Self.told(since1970: now + offset) }

    static func told(since1970 time: Duration) -> RESPValue {
        let nanoseconds = time.inNanoseconds
        return .array([.integer(nanoseconds / 1_000_000_000), .integer(nanoseconds / 1_000 % 1_000_000)])
    }

    func isOverdue(_ key: Int, _ now: Duration) -> Bool {
        if case .until(let deadline) = keys[key] { time(now) > deadline } else { false }
    }

    func isPaused(_ now: Duration) -> Bool { pausedUntil > now }

    func isReachable(_ now: Duration) -> Bool { !isDown && stalledUntil <= now }

    /// Whether a writer gets through.
    func takesWrites(_ now: Duration) -> Bool { isReachable(now) && !isPaused(now) }
}
