/// Which positions of one server process a partition has: what the script of ``StreamScripts`` keeps
/// beside the stream, as a value.
///
/// Positions come in any order, so each of the last ``window`` ordinals has the mark of the key
/// appended under it, or nothing. What lies before the window, or stands under another key, cannot be
/// told from a number that lies (reset statistics, forged messages, lost progress): it is appended as
/// uncertain, and never dropped.
package struct StreamCursor: Sendable, Equatable {
    package enum Verdict: UInt8, Sendable {
        case append = 0x61
        /// It may stand there already.
        case appendUncertain = 0x75
        /// It stands there.
        case has = 0x68
    }

    /// Ordinals in one word, and how many words are kept behind the last one.
    package static let word: UInt64 = 128
    package static let words: UInt64 = 1024
    /// At least as many ordinals are told apart. A partition's cursor takes up to half a megabyte.
    package static let window = word * (words - 1)
    /// No log is read further beyond the oldest that waits for its partition. The rest of the window is for
    /// the stretch that is read at once.
    package static let reach = window / 4 * 3

    private var marks: [UInt64: [UInt64: UInt32]] = [:]
    private var last: UInt64 = 0

    package init() {}

    /// One is to be appended.
    ///
    /// - Parameters:
    ///   - ordinal: 0 for what has no position, which is always appended.
    ///   - mark: of its key.
    package mutating func take(_ ordinal: UInt64, mark: UInt32) -> Verdict {
        guard ordinal > 0 else { return .append }
        let index = ordinal / Self.word
        guard index + Self.words > last else { return .appendUncertain }
        let held = marks[index]?[ordinal % Self.word]
        if held == mark { return .has }
        marks[index, default: [:]][ordinal % Self.word] = mark
        return held == nil ? .append : .appendUncertain
    }

    /// A batch is over: words that lie too far behind are forgotten.
    package mutating func close() {
        last = max(last, marks.keys.max() ?? 0)
        marks = marks.filter { $0.key + Self.words > last }
    }
}
