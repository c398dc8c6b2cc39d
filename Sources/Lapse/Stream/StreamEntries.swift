package import ExpirationStream
import FoundationEssentials
import NIOCore
package import RESP

/// What one call appends to a partition, as its words: they are kept for a while, for a server that
/// fails over without them.
package struct StreamEntries: Sendable {
    package private(set) var count: Int
    /// As ``StreamScripts/append`` takes them.
    package private(set) var words: RESPCommand

    package var bytes: Int { words.byteCount }

    /// More of the same server process, in one call with these.
    package mutating func append(_ others: StreamEntries) {
        count += others.count
        words.append(contentsOf: others.words)
    }
}

/// Writes expirations as the script takes them. Those that differ in ordinal, key, deadline and lag
/// alone are a group and follow one template: what they share crosses the wire, and becomes values of
/// the script, once.
package struct StreamEncoder: Sendable {
    private let term: UInt64
    private let token: UInt64
    private var words = RESPWords()
    private var group: Group?
    private var count = 0

    package init(term: UInt64, token: UInt64) {
        self.term = term
        self.token = token
    }

    package mutating func append(_ expiration: Expiration, _ digest: KeyDigest) {
        let isText = expiration.withKey { $0.isText }
        if group?.takes(expiration, isText: isText) != true {
            close()
            group = Group(expiration, isText: isText)
        }
        group?.append(expiration, digest.mark)
        count += 1
    }

    package consuming func finish() -> StreamEntries {
        close()
        return StreamEntries(count: count, words: RESPCommand(words))
    }

    private mutating func close() {
        if let group { words.append(contentsOf: group.words(term: term, token: token)) }
        group = nil
    }
}

extension StreamEncoder {
    private struct Group {
        private let first: Expiration
        private let isText: Bool
        private var marks: [UInt8] = []
        private var entries = RESPWords()

        init(_ first: Expiration, isText: Bool) {
            self.first = first
            self.isText = isText
            entries.reserveCapacity(1024)
        }

        private var hasDeadlines: Bool { first.knownDeadline != nil }

        /// What has no position has an `id` of its own, what has a value, that value, and what has a deadline,
        /// two fields more.
        func takes(_ expiration: Expiration, isText: Bool) -> Bool {
            expiration.isBeside(first) && isText == self.isText && expiration.ordinal > 0 && first.ordinal > 0
                && expiration.value == nil && first.value == nil
                && (expiration.knownDeadline != nil) == hasDeadlines
        }

        mutating func append(_ expiration: Expiration, _ mark: UInt32) {
            marks.append(UInt8(truncatingIfNeeded: mark >> 24))
            marks.append(UInt8(truncatingIfNeeded: mark >> 16))
            marks.append(UInt8(truncatingIfNeeded: mark >> 8))
            marks.append(UInt8(truncatingIfNeeded: mark))
            entries.append(expiration.ordinal)
            expiration.withKey { key in
                if isText {
                    entries.append(key)
                } else {
                    entries.append(Data([UInt8](copying: key)).base64EncodedString())
                }
            }
            if let deadline = expiration.knownDeadline {
                entries.append(deadline.milliseconds)
                entries.append(deadline.lagMilliseconds)
            }
        }

        func words(term: UInt64, token: UInt64) -> RESPWords {
            let key = first.key.bytes
            let id = EventID.of(
                runID: first.runID, ordinal: first.ordinal, database: first.database, key: key, value: first.value)
            let template = StreamEntry(
                id: id, key: key, database: first.database, node: first.node, runID: first.runID,
                ordinal: first.ordinal, origin: first.origin.rawValue, deadline: first.knownDeadline?.milliseconds,
                lagMilliseconds: first.knownDeadline?.lagMilliseconds, value: first.value, term: term, token: token
            ).fields
            var words = RESPWords()
            words.append(UInt64(marks.count / 4))
            words.append(first.ordinal > 0 ? "\(first.runID)-" : "")
            let own = ["ordinal", isText ? "key" : "keyBase64"] + (hasDeadlines ? ["deadline", "lagMs"] : [])
            words.append(UInt64(own.count))
            for name in own { words.append(template.place(of: name)) }
            words.append(UInt64(template.count))
            words.append(contentsOf: template)
            words.append(marks)
            words.append(contentsOf: entries)
            return words
        }
    }
}

extension RESPCommand {
    /// Where the value of a field stands, counted from 1.
    fileprivate func place(of name: String) -> UInt64 {
        let field = stride(from: 0, to: count, by: 2).first { self[$0].map { String(buffer: $0) } == name }
        guard let field else { preconditionFailure("an entry without \(name)") }
        return UInt64(field + 2)
    }
}

extension RawSpan {
    /// Whether the bytes are UTF-8.
    fileprivate var isText: Bool {
        var index = 0
        while index < byteCount {
            if word(at: index) & 0x8080_8080_8080_8080 != 0 {
                return String(validating: [UInt8](copying: self), as: UTF8.self) != nil
            }
            index += 8
        }
        return true
    }
}
