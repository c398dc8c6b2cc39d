import Lapse
import RedisClient

/// Where the dead letters are.
enum DeadLetterPlace: OptionGroupTable {
    static let rows = [Running.deadLetter.row]
}

/// Which of them are meant.
enum DeadLetterSelection: OptionGroupTable {
    static let standardLimit = 100
    static let olderThan = Setting.duration(
        OptionRow(name: "older-than", value: "duration", help: "Only letters written longer ago."))
    static let newerThan = Setting.duration(
        OptionRow(name: "newer-than", value: "duration", help: "Only letters written since then."))
    static let error = Setting.text(
        OptionRow(
            name: "error", arity: .globs, value: "glob", help: "Only letters with such an error, a Redis glob.",
            standardHelp: "any"))
    static let limit = Setting.number(
        OptionRow(
            name: "limit", value: "n", help: "No more letters than this.",
            standardHelp: "100 for list; all for --all-matching"), 1...10_000_000)

    static let own = [olderThan.row, newerThan.row, error.row, limit.row]
    static let rows = DeadLetterPlace.rows + [Wanted.match.row] + own
}

/// Whether all of them are meant that match.
enum DeadLetterMatching: OptionGroupTable {
    static let all = Setting.flag("all-matching", "All letters that the other options leave, instead of IDs.")
    static let rows = [all.row]
}

/// What a letter is handled with again.
enum Retrying: OptionGroupTable {
    /// One option with that of `lapse run`.
    static let stream = Setting.text(
        OptionRow(
            name: Streaming.stream.row.name, value: "key",
            help: "Instead of a handler: append them to this stream, for its workers."))

    static let rows = [
        stream.row, Running.handler.row, Running.exec.row, Running.execStream.row, Running.handlerTimeout.row,
        Candidacy.id.row,
    ]
}

/// The letters that a command is about.
enum DeadLetterChoice: Sendable {
    case named([StreamID])
    case matching(DeadLetterFilter, limit: Int)

    init(_ ids: [String], _ values: OptionValues) throws(Failure) {
        let isAll = try values(DeadLetterMatching.all) == true
        guard isAll != !ids.isEmpty else {
            throw .usage(
                isAll
                    ? "IDs and --all-matching exclude each other: give one of them"
                    : "which letters? Give their IDs, as 'lapse dead-letters list' prints them, or --all-matching")
        }
        guard isAll else {
            // What a file or the environment gives is for other commands.
            let rows = [Wanted.match.row] + DeadLetterSelection.own
            if let filter = rows.first(where: values.isOnCommandLine) {
                throw .usage("\(filter.flag) picks from all letters: give it with --all-matching, or IDs alone")
            }
            var named: [StreamID] = []
            for id in ids { named.append(try Self.id(id)) }
            self = .named(named)
            return
        }
        self = .matching(try DeadLetterFilter(values), limit: try values(DeadLetterSelection.limit) ?? .max)
    }

    static func id(_ text: String) throws(Failure) -> StreamID {
        guard let id = StreamID(text) else {
            throw .usage("'\(text)' is no ID of a letter: it looks like 1767323045678-0")
        }
        return id
    }
}

/// Which letters match, by age, key and error.
struct DeadLetterFilter: Sendable {
    private let olderThan: Duration?
    private let newerThan: Duration?
    private let keys: [Glob]
    private let errors: [Glob]

    init(_ values: OptionValues) throws(Failure) {
        olderThan = try values(DeadLetterSelection.olderThan)
        newerThan = try values(DeadLetterSelection.newerThan)
        keys = try values.all(Wanted.match).map(Glob.init)
        errors = try values.all(DeadLetterSelection.error).map(Glob.init)
    }

    /// The IDs between which the letters of the wanted age are, both inclusive; nil when there can be none.
    ///
    /// - Parameter now: by the server's clock, in milliseconds since 1970.
    func range(now: UInt64) -> ClosedRange<StreamID>? {
        func before(_ age: Duration) -> UInt64 {
            let milliseconds = UInt64(max(0, age.components.seconds)) * 1000
            return now - min(now, milliseconds + UInt64(age.components.attoseconds / 1_000_000_000_000_000))
        }
        let first = newerThan.map { StreamID(milliseconds: before($0)) } ?? .zero
        let last =
            olderThan.map { StreamID(milliseconds: before($0), number: .max) }
            ?? StreamID(milliseconds: .max, number: .max)
        return first <= last ? first...last : nil
    }

    /// Whether key and error are wanted. What is no dead letter has neither, and matches only where no glob
    /// asks for one.
    func wants(_ letter: FoundLetter) -> Bool {
        guard case .success(let record) = letter.record else { return keys.isEmpty && errors.isEmpty }
        return Self.matches(keys, record.key) && Self.matches(errors, Array(record.error.utf8))
    }

    private static func matches(_ globs: [Glob], _ text: [UInt8]) -> Bool {
        // Unsafe in name only: a byte has no padding.
        globs.isEmpty || globs.contains { unsafe $0.matches(text.span.bytes) }
    }
}
