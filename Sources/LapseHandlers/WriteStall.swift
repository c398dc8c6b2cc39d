/// How long a write has been under way, and when that is to be told.
package struct WriteStall: Sendable {
    private var began: ContinuousClock.Instant?
    private var toldAt: ContinuousClock.Instant?
    private static let patience = Duration.seconds(5)
    private static let pause = Duration.seconds(60)

    package init() {}

    package mutating func began(at now: ContinuousClock.Instant) { began = now }

    package mutating func ended() {
        began = nil
        toldAt = nil
    }

    /// The seconds that the write has taken, when they are to be told now.
    package mutating func look(at now: ContinuousClock.Instant) -> Int? {
        guard let began, now - began >= Self.patience, toldAt.map({ now - $0 >= Self.pause }) ?? true else {
            return nil
        }
        toldAt = now
        return Int((now - began).components.seconds)
    }
}
