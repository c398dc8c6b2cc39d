import NIOCore
import RESP
import RedisClient
import Testing

@testable import Lapse

/// A log, and the node that fills it.
struct HeardLog {
    var log = NodeLog(
        runID: "run", address: NodeAddress(host: "10.0.0.1", port: 6379), limitBytes: 64 << 10,
        limitAge: .seconds(60))
    var lapsedLocks = 0
    var others: [String] = []

    /// Hears messages in one read: `("__keyevent@0__:expired", key)`, or `("lapse:test", nonce)`, which
    /// pins a mark.
    mutating func hear(_ messages: [(channel: String, payload: String)], now: UInt64 = 1_000) -> Int {
        var reader = ReplyReader()
        var bytes = ByteBuffer()
        for (channel, payload) in messages {
            RESPCommand("message", channel, payload).encode(into: &bytes)
        }
        var count = 0
        var lapsed = 0
        var other: [String] = []
        do {
            try reader.read(bytes) { batch in
                count += log.take(batch, now: now, look: 3) { key in
                    if NodeLog.isLock(key) { lapsed += 1 }
                } control: { payload in
                    log.pinMark()
                    other.append(Self.text(payload))
                }
            }
        } catch { Issue.record("\(error)") }
        lapsedLocks += lapsed
        others += other
        return count
    }

    @discardableResult
    mutating func expire(_ keys: String..., database: Int = 0, now: UInt64 = 1_000) -> Int {
        hear(keys.map { (EventChannel.name(database), $0) }, now: now)
    }

    mutating func mark(_ counter: UInt64) -> Numbering.Finding? {
        _ = hear([("lapse:test", "nonce")])
        return log.resolve(counter: counter)
    }

    func ordinals(after ordinal: UInt64 = 0) -> [UInt64] {
        var all: [UInt64] = []
        while case .entries(let chunk) = log.next(after: all.last ?? ordinal, upTo: 3) {
            all += chunk.first...chunk.last
        }
        return all
    }

    func keys(_ ordinals: ClosedRange<UInt64>) -> [[UInt8]] {
        log.heard(in: ordinals, bytes: 1 << 10, SlotOwnership().seen(from: log.address)).expirations.map(\.key)
    }

    /// The ordinals missing right behind one.
    func hole(after ordinal: UInt64) -> ClosedRange<UInt64>? {
        if case .hole(let hole) = log.next(after: ordinal, upTo: 1) { hole } else { nil }
    }

    private static func text(_ span: RawSpan) -> String {
        String(decoding: (0..<span.byteCount).map { span.byte(at: $0) }, as: UTF8.self)
    }
}
