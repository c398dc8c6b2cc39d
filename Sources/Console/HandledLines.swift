package import Lapse
package import LapseHandlers
import Logging
import RESP
import Timing

/// The log's lines for the expirations of a batch, as ``LogLine`` would print each: what they have in common is written once and copied.
package struct HandledLines: HandledLineFormat {
    private let format: LogFormat

    package init(_ format: LogFormat) { self.format = format }

    package func lines(_ batch: ExpirationBatch, term: UInt64, at milliseconds: Int64) -> Lines {
        let time = UTCTime(milliseconds: milliseconds)
        var lines = Lines(reserving: batch.count, bytes: batch.count * 160)
        // Around the key, for the node and the origin of the expiration before.
        var around: (node: String, origin: Origin, before: [UInt8], after: [UInt8])?
        for expiration in batch {
            let (node, origin) = (expiration.node, expiration.origin)
            if around?.node != node || around?.origin != origin {
                around = split(time, node, origin, term)
            }
            guard let around, expiration.withKey({ Self.isPlain($0) }) else {
                let whole = line(time, key: expiration.key.description, node, origin, term)
                lines.append { $0 += whole }
                continue
            }
            lines.append { bytes in
                bytes.append(contentsOf: around.before)
                expiration.withKey { bytes.append(copying: $0) }
                bytes.append(contentsOf: around.after)
            }
        }
        return lines
    }

    private func line(_ time: UTCTime, key: String, _ node: String, _ origin: Origin, _ term: UInt64) -> [UInt8] {
        let line = LogLine(
            time: time, level: .info, message: "expiration handled",
            facts: [("key", key), ("node", node), ("origin", origin.rawValue), ("term", "\(term)")],
            numbers: ["term"])
        return format == .text ? line.text : line.json
    }

    /// A line divided where its key stands.
    private func split(
        _ time: UTCTime, _ node: String, _ origin: Origin, _ term: UInt64
    ) -> (node: String, origin: Origin, before: [UInt8], after: [UInt8])? {
        // No other part of a line holds this: a name, a node, an origin or a number.
        let mark = "~key~"
        let whole = line(time, key: mark, node, origin, term)
        guard let start = whole.firstRange(of: Array(mark.utf8)) else { return nil }
        return (node, origin, Array(whole[..<start.lowerBound]), Array(whole[start.upperBound...]))
    }

    /// Nothing in it is escaped or quoted, in text or in JSON.
    private static func isPlain(_ key: RawSpan) -> Bool {
        guard key.byteCount > 0 else { return false }
        for index in 0..<key.byteCount {
            let byte = key.byte(at: index)
            guard byte > 0x20, byte < 0x7F, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "="),
                byte != UInt8(ascii: "\\")
            else { return false }
        }
        return true
    }
}
