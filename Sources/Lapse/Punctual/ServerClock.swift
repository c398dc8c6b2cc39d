import RESP

/// By how much a server's clock is ahead of the own monotonic one, at least and at most. Pure: times
/// are given in nanoseconds.
///
/// A server that says `s` is ahead by `s - heard` at least and by `s - asked` at most. Answers that
/// agree narrow that down; one that contradicts them all says that the clock was set, and counts alone.
struct ServerClock: Sendable {
    private struct Sample: Sendable {
        var least: Int64
        var most: Int64
        var heardAt: Int64
    }

    private var samples: [Sample] = []
    private(set) var least: Int64 = 0
    private(set) var most: Int64 = 0
    /// The shortest that an answer of late was on its way, there and back; 0 while none has come.
    private(set) var roundTrip: Int64 = 0
    private static let kept = 16
    /// How far two clocks drift apart, a disciplined one that is being corrected included: 500 millionths.
    private static let driftDivisor: Int64 = 2_000

    var isKnown: Bool { !samples.isEmpty }

    /// The server answered TIME.
    ///
    /// - Parameters:
    ///   - time: what it said, in nanoseconds since 1970.
    ///   - asked: when it was asked, by the own monotonic clock in nanoseconds.
    ///   - heard: when the answer was here.
    /// - Returns: by how many nanoseconds the clock was set since the last answer; 0 mostly.
    mutating func answered(_ time: Int64, asked: Int64, heard: Int64) -> Int64 {
        let before = (least, most)
        let wasKnown = isKnown
        let sample = Sample(least: time - heard, most: time - asked, heardAt: heard)
        if samples.count == Self.kept { samples.removeFirst() }
        samples.append(sample)
        defer { roundTrip = samples.lazy.map { $0.most - $0.least }.min() ?? 0 }
        if narrow(heard) { return 0 }
        samples = [sample]
        (least, most) = (sample.least, sample.most)
        guard wasKnown else { return 0 }
        return sample.most < before.0 ? sample.most - before.0 : sample.least - before.1
    }

    /// Whether an answer to TIME may be true if the clock was not set since the last one.
    func allows(_ time: Int64, asked: Int64, heard: Int64) -> Bool {
        !isKnown || time - heard <= most + Self.tolerance && time - asked >= least - Self.tolerance
    }

    /// Less is no step of a clock: it drifts.
    private static let tolerance: Int64 = 2_000_000

    /// What `TIME` says, seconds and microseconds, in nanoseconds; nil for what cannot be true.
    static func nanoseconds(_ reply: RESPValue?) -> Int64? {
        guard let words = reply?.array, words.count == 2, let seconds = words[0].int, let micros = words[1].int,
            (0..<1 << 33).contains(seconds), (0..<1_000_000).contains(micros)
        else { return nil }
        return seconds * 1_000_000_000 + micros * 1_000
    }

    /// What all samples agree on; false when they do not.
    private mutating func narrow(_ now: Int64) -> Bool {
        var (least, most) = (Int64.min, Int64.max)
        for sample in samples {
            let drift = (now - sample.heardAt) / Self.driftDivisor
            least = max(least, sample.least - drift)
            most = min(most, sample.most + drift)
        }
        guard least <= most else { return false }
        (self.least, self.most) = (least, most)
        return true
    }

    /// The server's time in milliseconds since 1970 when a command sent now arrives there at the earliest:
    /// not later than the truth.
    func surely(_ now: Int64) -> Int64 { (now + least) / 1_000_000 }

    /// The server's time in milliseconds, not earlier than the truth.
    func atMost(_ now: Int64) -> Int64 { (now + most + 999_999) / 1_000_000 }

    /// The server's time in nanoseconds, most likely.
    func middle(_ now: Int64) -> Int64 { now + least + (most - least) / 2 }

    /// When the server's time has surely reached this many milliseconds, by the own clock in nanoseconds.
    func reaches(_ milliseconds: Int64) -> Int64 { milliseconds * 1_000_000 - least }
}
