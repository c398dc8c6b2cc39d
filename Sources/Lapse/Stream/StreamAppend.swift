import NIOCore
package import RESP

/// One call of the script that appends: what goes to a partition, and what it answers.
package struct StreamAppend: Sendable {
    /// The leader that appends: a term of one store.
    package struct Writer: Sendable, Equatable {
        var store: String
        var token: UInt64
        /// How often tokens began anew.
        var epoch: UInt64

        package init(store: String, token: UInt64, epoch: UInt64) {
            self.store = store
            self.token = token
            self.epoch = epoch
        }
    }

    /// What the script says.
    package struct Answer: Sendable, Equatable {
        package var verdicts: [StreamCursor.Verdict]
        /// Entries of this stream appended before this call.
        package var before: UInt64
        /// Entries that the writer did not take away, and that are gone.
        package var vanished: UInt64
        /// Entries taken away by the bound before a group had read them.
        package var unread: UInt64

        package var appended: UInt64 { UInt64(verdicts.count { $0 != .has }) }
        package var uncertain: UInt64 { UInt64(verdicts.count { $0 == .appendUncertain }) }
    }

    package enum Outcome: Sendable, Equatable {
        case done(Answer)
        /// A later term has appended here.
        case fenced
        /// This server has had this number of entries, fewer than the leader knows of: it was promoted without
        /// the last of them.
        case behind(UInt64)
    }

    /// For as long as a process says nothing, what was appended of it is known.
    static let cursorLife = Duration.seconds(7 * 86_400)

    /// What precedes the words of the entries.
    ///
    /// - Parameters:
    ///   - known: how many entries this leader knows to have been appended here.
    ///   - limit: the most entries of the stream; 0 for no bound.
    package static func arguments(_ writer: Writer, known: UInt64, limit: Int) -> [[UInt8]] {
        let milliseconds = cursorLife.components.seconds * 1000
        let head = ["\(limit)", "\(milliseconds)", "\(StreamCursor.word)", "\(StreamCursor.words)"]
        return upkeep(writer, known: known) + head.map { Array($0.utf8) }
    }

    package static func upkeep(_ writer: Writer, known: UInt64) -> [[UInt8]] {
        [writer.store, "\(writer.token)", "\(writer.epoch)", "\(known)"].map { Array($0.utf8) }
    }

    /// Nil for what the script cannot have answered.
    package static func outcome(_ reply: RESPValue, of count: Int) -> Outcome? {
        guard let parts = reply.array, let word = parts.first?.string else { return nil }
        if word == "fenced" { return .fenced }
        if word == "behind" { return parts.count == 2 ? PlausibleCount.read(parts[1]).map { .behind($0) } : nil }
        guard word == "ok", parts.count == 5, let letters = parts[1].bytes, letters.readableBytes == count,
            let before = PlausibleCount.read(parts[2]), let vanished = PlausibleCount.read(parts[3]),
            let unread = PlausibleCount.read(parts[4])
        else { return nil }
        let verdicts = letters.readableBytesView.compactMap { StreamCursor.Verdict(rawValue: $0) }
        guard verdicts.count == count else { return nil }
        return .done(Answer(verdicts: verdicts, before: before, vanished: vanished, unread: unread))
    }
}
