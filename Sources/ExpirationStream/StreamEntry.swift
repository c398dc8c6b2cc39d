import FoundationEssentials
import NIOCore
package import RESP

/// One expiration in a stream, as its fields.
///
/// A field that a reader does not know is passed over, so that a later writer may add some.
package struct StreamEntry: Sendable, Equatable {
    /// The same wherever this expiration is handed on: see ``EventID``.
    package var id: String
    package var key: [UInt8]
    package var database: Int
    /// `host:port` of the node that announced it.
    package var node: String
    /// Empty, with ordinal 0, where it was not announced.
    package var runID: String
    package var ordinal: UInt64
    /// `live`, `takeover`, `repair` or `reconcile`.
    package var origin: String
    /// Milliseconds since 1970, where known.
    package var deadline: UInt64?
    /// How late it was announced, where known.
    package var lagMilliseconds: UInt64?
    /// The companion's.
    package var value: [UInt8]?
    package var term: UInt64
    package var token: UInt64
    /// It may stand in the stream twice: its position could not be trusted.
    package var isUncertain: Bool

    package init(
        id: String, key: [UInt8], database: Int, node: String, runID: String, ordinal: UInt64, origin: String,
        deadline: UInt64? = nil, lagMilliseconds: UInt64? = nil, value: [UInt8]? = nil, term: UInt64, token: UInt64,
        isUncertain: Bool = false
    ) {
        self.id = id
        self.key = key
        self.database = database
        self.node = node
        self.runID = runID
        self.ordinal = ordinal
        self.origin = origin
        self.deadline = deadline
        self.lagMilliseconds = lagMilliseconds
        self.value = value
        self.term = term
        self.token = token
        self.isUncertain = isUncertain
    }

    /// Names and values in turn, for `XADD`. Bytes that are no UTF-8 go as base64, under a name of their
    /// own.
    package var fields: RESPCommand {
        var fields = RESPCommand()
        func add(_ name: String, _ value: String) {
            fields.append(name)
            fields.append(value)
        }
        func add(_ name: String, _ bytes: [UInt8]) {
            guard bytes.allSatisfy({ $0 < 0x80 }) || String(validating: bytes, as: UTF8.self) != nil else {
                return add("\(name)Base64", Data(bytes).base64EncodedString())
            }
            fields.append(name)
            fields.append(bytes)
        }
        add("id", id)
        add("key", key)
        add("database", String(database))
        add("node", node)
        add("runId", runID)
        add("ordinal", String(ordinal))
        add("origin", origin)
        if let deadline { add("deadline", String(deadline)) }
        if let lagMilliseconds { add("lagMs", String(lagMilliseconds)) }
        if let value { add("value", value) }
        add("term", String(term))
        add("token", String(token))
        if isUncertain { add("uncertain", "1") }
        return fields
    }

    /// The most names and values that are looked at.
    package static let wordLimit = 128
    /// Of one text that is no key, no value and no id.
    package static let textLimit = 512

    /// Where the value of each field that is read stands in the list.
    fileprivate struct Found {
        /// In the order of ``StreamEntry/fields``.
        enum Name: Int, CaseIterable {
            case id, key, keyBase64, database, node, runId, ordinal, origin, deadline, lagMs, value, valueBase64, term,
                token
            case uncertain
        }

        private static let names = Name.allCases.map { ByteBuffer(string: "\($0)") }
        private let words: [RESPValue]
        /// Of no value: 0. A list is not as long as what a place can tell.
        private var places = SIMD16<UInt8>(repeating: 0)

        /// Nil where something is no text.
        init?(_ words: [RESPValue]) {
            self.words = words
            var expected = 0
            for index in stride(from: 0, to: words.count, by: 2) {
                guard let name = words[index].bytes, name.readableBytes <= 64, words[index + 1].bytes != nil else {
                    return nil
                }
                // They mostly come in their order, some of them left out. The first one of a name counts.
                guard let place = Self.place(of: name, from: expected) else { continue }
                if places[place] == 0 { places[place] = UInt8(index + 1) }
                expected = place + 1
            }
        }

        private static func place(of name: ByteBuffer, from expected: Int) -> Int? {
            for offset in 0..<names.count {
                let place = (expected + offset) % names.count
                if names[place] == name { return place }
            }
            return nil
        }

        subscript(name: Name) -> ByteBuffer? {
            let place = places[name.rawValue]
            return place == 0 ? nil : words[Int(place)].bytes
        }

        func text(_ name: Name) -> String? {
            guard let value = self[name], value.readableBytes <= StreamEntry.textLimit else { return nil }
            return String(validating: value.readableBytesView, as: UTF8.self)
        }

        func count(_ name: Name) -> UInt64? { self[name].flatMap { PlausibleCount.read($0) } }

        func bytes(_ plain: Name, orBase64 coded: Name) -> [UInt8]? {
            if let plain = self[plain] { return Array(buffer: plain) }
            return self[coded].flatMap { value in
                Data(base64Encoded: Data(value.readableBytesView)).map { Array($0) }
            }
        }
    }

    /// Texts of the entries of one answer, most of which say the same of the node: the same bytes are the
    /// same memory, and are looked at once.
    package struct Texts {
        private struct Last {
            var bytes = ByteBuffer()
            var text = ""
        }

        private var last = [Last](repeating: Last(), count: Found.Name.allCases.count)

        package init() {}

        fileprivate mutating func read(_ name: Found.Name, of found: Found) -> String? {
            guard let bytes = found[name] else { return nil }
            if last[name.rawValue].bytes == bytes { return last[name.rawValue].text }
            guard let text = found.text(name) else { return nil }
            last[name.rawValue] = Last(bytes: bytes, text: text)
            return text
        }
    }

    /// Reads the list of names and values that `XREADGROUP`, `XRANGE` and `XAUTOCLAIM` answer with. Any
    /// client may have added it.
    ///
    /// - Returns: nil for what is no expiration. Nil stands there, too, for an entry that was deleted
    ///   meanwhile.
    package init?(fields reply: RESPValue) {
        var texts = Texts()
        self.init(fields: reply, &texts)
    }

    /// The same.
    ///
    /// - Parameter texts: of the same answer.
    package init?(fields reply: RESPValue, _ texts: inout Texts) {
        guard let words = reply.array, words.count <= Self.wordLimit, words.count.isMultiple(of: 2),
            let found = Found(words)
        else { return nil }
        guard let key = found.bytes(.key, orBase64: .keyBase64), let database = found.count(.database),
            database <= UInt64(UInt16.max), let node = texts.read(.node, of: found),
            let runID = texts.read(.runId, of: found), let ordinal = found.count(.ordinal),
            let origin = texts.read(.origin, of: found),
            ["live", "takeover", "repair", "reconcile"].contains(origin), let term = found.count(.term),
            let token = found[.token].flatMap({ PlausibleCount.number($0.readableBytesView) }),
            (ordinal == 0) == runID.isEmpty
        else { return nil }
        // A key is at most 512 MB; what stands for it in an id is no longer than its base64.
        guard let id = found[.id], id.readableBytes <= key.count * 2 + Self.textLimit,
            let id = String(validating: id.readableBytesView, as: UTF8.self), !id.isEmpty
        else { return nil }
        self.init(
            id: id, key: key, database: Int(database), node: node, runID: runID, ordinal: ordinal, origin: origin,
            deadline: found.count(.deadline), lagMilliseconds: found.count(.lagMs),
            value: found.bytes(.value, orBase64: .valueBase64), term: term, token: token,
            isUncertain: found.text(.uncertain) == "1")
    }
}
