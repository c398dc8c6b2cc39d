package import Lapse
package import LapseHandlers
import Logging
import RESP
import Synchronization
import Timing

/// The log's lines for the expirations of a batch, as ``LogLine`` would print each: what they have in
/// common is written once and copied.
package final class HandledLines: HandledLineFormat {
    /// What stands around a key.
    private struct Frame {
        var node: String
        var origin: ExpirationOrigin
        var term: UInt64
        /// It begins with the time, or nearly so.
        var before: [UInt8]
        var placeOfTime: Int
        var after: [UInt8]
    }

    private let format: LogFormat
    private let keys: KeyDisclosure
    /// The last one: nearly always the next batch has the same.
    private let known = Mutex<Frame?>(nil)

    package init(_ format: LogFormat, keys: KeyDisclosure = .full) {
        self.format = format
        self.keys = keys
    }

    package func lines(_ batch: ExpirationBatch, term: UInt64, at milliseconds: Int64) -> Lines {
        let time = UTCTime(milliseconds: milliseconds)
        var lines = Lines(reserving: batch.count, bytes: batch.count * 160)
        var last: Expiration?
        var frame: Frame?
        for expiration in batch {
            if last.map({ !$0.isBeside(expiration) }) ?? true { frame = self.frame(time, expiration, term) }
            last = expiration
            guard let frame, expiration.withKey({ keys.isWhole($0) && $0.isPlainWord }) else {
                let whole = line(time, key: keys.text(expiration.key), expiration, term)
                lines.append { $0 += whole }
                continue
            }
            lines.append { bytes in
                bytes.append(contentsOf: frame.before)
                expiration.withKey { bytes.append(copying: $0) }
                bytes.append(contentsOf: frame.after)
            }
        }
        return lines
    }

    private func line(_ time: UTCTime, key: String, _ expiration: Expiration, _ term: UInt64) -> [UInt8] {
        let line = LogLine(
            time: time, level: .info, message: "expiration handled",
            facts: [
                ("key", key), ("node", expiration.node), ("origin", expiration.origin.rawValue), ("term", "\(term)"),
            ], numbers: ["term"])
        return format == .text ? line.text : line.json
    }

    private func frame(_ time: UTCTime, _ expiration: Expiration, _ term: UInt64) -> Frame? {
        let (node, origin) = (expiration.node, expiration.origin)
        return known.withLock { known in
            if known?.node != node || known?.origin != origin || known?.term != term {
                known = made(time, expiration, term)
            }
            guard var frame = known else { return nil }
            var text: [UInt8] = []
            text.reserveCapacity(24)
            time.write(to: &text)
            frame.before.replaceSubrange(frame.placeOfTime..<frame.placeOfTime + text.count, with: text)
            return frame
        }
    }

    /// A line divided where its key stands.
    private func made(_ time: UTCTime, _ expiration: Expiration, _ term: UInt64) -> Frame? {
        // No other part of a line holds this: a name, a node, an origin or a number.
        let mark = "~key~"
        let whole = line(time, key: mark, expiration, term)
        guard let key = whole.firstRange(of: Array(mark.utf8)), let clock = whole.firstRange(of: Array(time.text.utf8))
        else { return nil }
        return Frame(
            node: expiration.node, origin: expiration.origin, term: term, before: Array(whole[..<key.lowerBound]),
            placeOfTime: clock.lowerBound, after: Array(whole[key.upperBound...]))
    }
}
