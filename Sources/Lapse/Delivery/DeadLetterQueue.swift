import DequeModule

/// An expiration that no attempt could handle.
package struct DeadLetter: Sendable {
    package var delivery: Delivery
    /// Why the last attempt failed.
    package var error: String

    package init(delivery: Delivery, error: String) {
        self.delivery = delivery
        self.error = error
    }
}

/// The letters that are to be written to the stream, and how long that is tried. A pure value.
///
/// All go to one key, so what keeps one from being written keeps all of them: after a failure all wait.
/// A letter is tried for ``patience`` from when it came, or from the first failure where it waited for
/// its turn before that; then the log has it instead, and why.
package struct DeadLetterQueue {
    package enum Step: Sendable {
        /// At once, in one round trip.
        case write([DeadLetter])
        /// Its time is over, or too many wait: only the log is to have it.
        case log(DeadLetter, reason: String)
        /// Until something comes, or for a while.
        case wait(Duration?)
    }

    private var letters: Deque<(letter: DeadLetter, since: Duration)> = []
    private var surplus: Deque<DeadLetter> = []
    private var notBefore: Duration = .zero
    private var pause = Self.firstPause
    /// Why the last write failed; nil after one that did not.
    private var failure: String?
    /// When writes began to fail.
    private var failingSince: Duration = .zero

    package static let patience = Duration.seconds(5)
    private static let firstPause = Duration.milliseconds(100)
    private static let longestPause = Duration.seconds(1)
    /// So many are written at once: the way to the stream may take longer than the next letter.
    package static let mostAtOnce = 64
    /// More do not wait; about half a kilobyte each.
    private let limit: Int

    package init(limit: Int = 4096) { self.limit = limit }

    package var count: Int { letters.count + surplus.count }

    package mutating func add(_ letter: DeadLetter, now: Duration) {
        if letters.count < limit { letters.append((letter, now)) } else { surplus.append(letter) }
    }

    /// What to do now. After letters to write comes ``wrote(_:now:)``, or nothing.
    package mutating func next(now: Duration) -> Step {
        if let letter = surplus.popFirst() {
            return .log(letter, reason: "\(letters.count) others wait to be written: \(failure ?? "it is slow")")
        }
        guard let first = letters.first else { return .wait(nil) }
        // A stream that cannot keep up still gets the letters that have waited for it.
        if let failure, now >= max(first.since, failingSince) + Self.patience {
            letters.removeFirst()
            return .log(first.letter, reason: failure)
        }
        return now < notBefore ? .wait(notBefore - now) : .write(letters.prefix(Self.mostAtOnce).map(\.letter))
    }

    /// How the letters of the last step fared.
    ///
    /// - Parameter failures: of each letter why it is not in the stream, or nil: it is.
    /// - Returns: whether it is news that one is not.
    package mutating func wrote(_ failures: [String?], now: Duration) -> Bool {
        let left = zip(letters, failures).filter { $0.1 != nil }.map { $0.0 }
        letters.removeFirst(failures.count)
        letters.prepend(contentsOf: left)
        // The stream takes letters: what it refuses beside them does not slow the others down.
        if left.count < failures.count { pause = Self.firstPause }
        guard let reason = failures.lazy.compactMap({ $0 }).first else {
            failure = nil
            return false
        }
        let isNews = failure == nil
        if isNews { failingSince = now }
        failure = reason
        notBefore = now + pause
        pause = min(pause * 2, Self.longestPause)
        return isNews
    }

    /// The term is over: what has not been written is the next leader's.
    package mutating func takeAll() -> [Delivery] {
        defer { self = DeadLetterQueue(limit: limit) }
        return letters.map(\.letter.delivery) + surplus.map(\.delivery)
    }
}
