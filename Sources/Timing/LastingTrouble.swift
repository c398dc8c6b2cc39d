/// When a trouble that lasts is to be told: once it has lasted for a while, and again each minute. A
/// pure value.
package struct LastingTrouble: Sendable {
    package enum Step: Sendable, Equatable {
        case tell
        /// It was told, and is over.
        case over
        case nothing
    }

    private var since: Duration?
    private var toldAt: Duration?
    private let patience: Duration
    private static let again = Duration.seconds(60)

    /// - Parameter patience: what passes by itself within this time is not told; a refusal is told at once.
    package init(patience: Duration = .seconds(2)) { self.patience = patience }

    /// Whether it has lasted for long enough to be told.
    package var isTold: Bool { toldAt != nil }

    /// - Parameters:
    ///   - isThere: whether the trouble is there at this look.
    ///   - isRefusal: whether it will not pass by itself.
    ///   - now: by the monotonic clock.
    package mutating func look(_ isThere: Bool, isRefusal: Bool = false, now: Duration) -> Step {
        guard isThere else {
            defer { (since, toldAt) = (nil, nil) }
            return toldAt == nil ? .nothing : .over
        }
        let began = since ?? now
        since = began
        guard isRefusal || now - began >= patience else { return .nothing }
        if let toldAt, now - toldAt < Self.again { return .nothing }
        toldAt = now
        return .tell
    }
}
