/// A bucket of questions that fills with time. A pure value.
struct Allowance: Sendable {
    let perSecond: Double
    let most: Double
    private var left: Double
    private var at: Duration = .zero

    init(perSecond: Double, most: Double) {
        self.perSecond = perSecond
        self.most = most
        left = most
    }

    /// - Parameter now: by the monotonic clock.
    mutating func take(_ now: Duration) -> Bool {
        left = min(most, left + max(0, (now - at) / .seconds(1)) * perSecond)
        at = now
        guard left >= 1 else { return false }
        left -= 1
        return true
    }
}
