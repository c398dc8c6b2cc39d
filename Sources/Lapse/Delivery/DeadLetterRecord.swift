import NIOCore
package import RESP

/// An entry of the stream of dead letters: what `lapse run` and `lapse work` write, and
/// `lapse dead-letters` reads.
package struct DeadLetterRecord: Sendable, Equatable {
    /// It changes when a field goes or changes its meaning, not when one is added.
    package static let formatVersion = 1
    /// Of an error's text, in bytes.
    package static let errorLimit = 4096

    package var key: [UInt8]
    package var database: UInt16
    package var node: String
    package var runID: String
    package var ordinal: UInt64
    package var origin: String
    package var attempts: UInt64
    package var error: String
    package var term: UInt64
    package var token: UInt64
    /// The companion's value, where the writer had it: `lapse run` leaves it in the companion.
    package var value: [UInt8]?
    /// Nil where it is not known.
    package var deadline: KnownDeadline?
    /// Of a letter from a stream's worker: the stream, the group and the entry.
    package var source: Source?

    package struct Source: Sendable, Equatable {
        package var stream: String
        package var group: String
        package var entry: String

        package init(stream: String, group: String, entry: String) {
            self.stream = stream
            self.group = group
            self.entry = entry
        }
    }

    package init(
        key: [UInt8], database: UInt16, node: String, runID: String, ordinal: UInt64, origin: String, attempts: UInt64,
        error: String, term: UInt64, token: UInt64, value: [UInt8]? = nil,
        deadline: KnownDeadline? = nil, source: Source? = nil
    ) {
        self.key = key
        self.database = database
        self.node = node
        self.runID = runID
        self.ordinal = ordinal
        self.origin = origin
        self.attempts = attempts
        self.error = error
        self.term = term
        self.token = token
        self.value = value
        self.deadline = deadline
        self.source = source
    }

    /// Adds it to a stream that keeps about `limit` entries.
    package func adding(to stream: String, limit: Int) -> RESPCommand {
        var command = RESPCommand("XADD", stream, "MAXLEN", "~", "\(limit)", "*", "key")
        command.append(key)
        for word in [
            "database", "\(database)", "node", node, "runId", runID, "ordinal", "\(ordinal)", "origin", origin,
            "attempts", "\(attempts)", "error", error.cut(toBytes: Self.errorLimit), "term", "\(term)", "token",
            "\(token)",
        ] { command.append(word) }
        if let value {
            command.append("value")
            command.append(value)
        }
        if let deadline {
            for word in ["deadline", "\(deadline.milliseconds)", "lagMs", "\(deadline.lagMilliseconds)"] {
                command.append(word)
            }
        }
        if let source {
            for word in ["stream", source.stream, "group", source.group, "entry", source.entry] { command.append(word) }
        }
        command.append("formatVersion")
        command.append("\(Self.formatVersion)")
        return command
    }

    /// Why an entry is no dead letter.
    package struct Unreadable: Error, Equatable, CustomStringConvertible {
        package let description: String
    }

    /// Reads the fields of an entry, which any client may have written.
    package init(fields: [RESPValue]) throws(Unreadable) {
        var found: [String: ByteBuffer] = [:]
        for index in stride(from: 0, to: fields.count - 1, by: 2) {
            guard let name = fields[index].string, let value = fields[index + 1].bytes else { continue }
            found[name] = value
        }
        func text(_ name: String) throws(Unreadable) -> String {
            guard let bytes = found[name] else { throw Unreadable(description: "it has no field \(name)") }
            return String(buffer: bytes)
        }
        func number<Number: FixedWidthInteger>(_ name: String) throws(Unreadable) -> Number {
            guard let number = Number(try text(name)) else {
                throw Unreadable(description: "its field \(name) is no number that can be true")
            }
            return number
        }
        // The first letters had no version.
        let version: UInt64 = found["formatVersion"] == nil ? 1 : try number("formatVersion")
        guard version == Self.formatVersion else {
            throw Unreadable(description: "its formatVersion is \(version): a newer lapse wrote it")
        }
        guard let key = found["key"] else { throw Unreadable(description: "it has no field key") }
        self.init(
            key: Array(buffer: key), database: try number("database"), node: try text("node"),
            runID: try text("runId"), ordinal: try number("ordinal"), origin: try text("origin"),
            attempts: try number("attempts"), error: try text("error"), term: try number("term"),
            token: try number("token"), value: found["value"].map { Array(buffer: $0) })
        if found["deadline"] != nil {
            deadline = KnownDeadline(milliseconds: try number("deadline"), lag: try number("lagMs"))
        }
        if let stream = found["stream"], let group = found["group"], let entry = found["entry"] {
            source = Source(
                stream: String(buffer: stream), group: String(buffer: group), entry: String(buffer: entry))
        }
    }

    /// Why it is about no expiration, if so: a worker found an entry in its stream that Lapse did not
    /// write. Only what is reconciled has no position.
    package var noExpiration: String? {
        guard ordinal == 0, origin != ExpirationOrigin.reconcile.rawValue else { return nil }
        let place = source.map { "entry \($0.entry) of \($0.stream)" } ?? "an entry of a stream"
        return "it is no expiration but \(place), which lapse run did not write: see there, and drop the letter"
    }

    /// For a handler that is given it again.
    ///
    /// - Parameter received: when it became a letter, in milliseconds since 1970: when it was heard is not
    ///   kept.
    package func expiration(receivedMilliseconds received: UInt64) -> Expiration {
        Expiration(
            key: ExpirationKey(bytes: key), database: database, process: NodeProcess(runID: runID, node: node),
            ordinal: ordinal, origin: ExpirationOrigin(rawValue: origin) ?? .live, receivedMilliseconds: received,
            value: value,
            deadline: deadline)
    }
}

extension String {
    /// As much of the beginning as fits into this many bytes of UTF-8.
    func cut(toBytes limit: Int) -> String {
        guard utf8.count > limit else { return self }
        var end = utf8.index(utf8.startIndex, offsetBy: limit)
        while end > startIndex, end.samePosition(in: unicodeScalars) == nil { end = utf8.index(before: end) }
        return self[..<end] + "…"
    }
}
