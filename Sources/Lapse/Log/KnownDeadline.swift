import RESP

/// When a key was to expire, and how late that was heard: known of the keys that a leader makes
/// punctual.
package struct KnownDeadline: Sendable, Hashable {
    /// By the clock of the server, in milliseconds since 1970; 0 where it is not known.
    private let time: UInt64
    private let lag: UInt32

    /// The end of the year 9999: a later one has no date in ISO 8601.
    private static let latest: UInt64 = 253_402_300_799_999

    /// Nothing is known: in a list beside others.
    static let none = KnownDeadline(time: 0, lag: 0)

    private init(time: UInt64, lag: UInt32) {
        self.time = time
        self.lag = lag
    }

    /// - Parameters:
    ///   - milliseconds: since 1970, by the server's clock. What a server says may be anything: nil for
    ///     what cannot be true.
    ///   - lag: from then on until it was heard, in milliseconds by the same clock.
    package init?(milliseconds: UInt64, lag: UInt64) {
        guard milliseconds > 0, milliseconds <= Self.latest else { return nil }
        time = milliseconds
        self.lag = UInt32(clamping: lag)
    }

    /// In milliseconds since 1970.
    package var milliseconds: UInt64 { time }
    package var lagMilliseconds: UInt64 { UInt64(lag) }

    var known: KnownDeadline? { time == 0 ? nil : self }
}
