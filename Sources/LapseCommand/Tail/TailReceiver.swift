import Lapse
import RESP
import RedisClient
import Synchronization
import Timing

/// Turns what one node announces into lines, a whole read at a time.
final class TailReceiver: PushReceiver {
    private static let prefix = Array("__keyevent@".utf8)
    private static let suffix = Array("__:expired".utf8)

    private let node: String
    private let filter: KeyFilter
    private let format: TailLine.Format
    private let bell: Doorbell
    private let put: @Sendable ([UInt8]) -> Void

    private struct Signs {
        var isSilent = false
        var hasHeard = false
    }

    private let signs = Mutex(Signs())

    /// - Parameter bell: rung when a silence begins or ends.
    init(
        node: String, filter: KeyFilter, format: TailLine.Format, bell: Doorbell,
        put: @escaping @Sendable ([UInt8]) -> Void
    ) {
        self.bell = bell
        self.node = node
        self.filter = filter
        self.format = format
        self.put = put
    }

    func receive(_ batch: borrowing ReplyBatch) {
        let time = UTCTime(milliseconds: Int64(WallClock.milliseconds()))
        var lines: [UInt8] = []
        batch.forEachPush { kind, channel, payload in
            guard kind == .message, let database = Self.database(channel) else { return }
            let key = (0..<payload.byteCount).map { payload.byte(at: $0) }
            guard filter.wants(key, database: database) else { return }
            lines += TailLine(time: time, node: node, database: database, key: key).bytes(format)
        }
        if !lines.isEmpty { put(lines) }
    }

    func receivedAll() { signs.withLock { $0.hasHeard = true } }

    func silenceChanged(_ silent: Bool) {
        signs.withLock { $0.isSilent = silent }
        bell.ring()
    }

    /// The node leaves a ping unanswered.
    var isSilent: Bool { signs.withLock { $0.isSilent } }

    /// Whether anything has come since this was last asked.
    func takeHeard() -> Bool {
        signs.withLock { signs in
            defer { signs.hasHeard = false }
            return signs.hasHeard
        }
    }

    private static func database(_ channel: RawSpan) -> UInt16? {
        guard channel.byteCount > prefix.count + suffix.count, channel.starts(with: prefix),
            channel.ends(with: suffix)
        else { return nil }
        let digits = (prefix.count..<channel.byteCount - suffix.count).map { channel.byte(at: $0) }
        return UInt16(String(decoding: digits, as: UTF8.self))
    }
}
