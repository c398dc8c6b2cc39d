/// Which try of a claim may end what all its tries share, such as the lease or the session of the
/// claim.
///
/// An elector asks again with the same claim while its first try still runs. A refusal that comes late
/// must not take away what a later try has won with.
package struct ClaimTries: Sendable {
    private struct Entry: Sendable {
        var latest: UInt64
        var isEnding = false
    }

    /// Claims that were left to lapse stay in the book until newer ones displace them.
    private static let limit = 32
    private var begun: UInt64 = 0
    private var entries: [String: Entry] = [:]
    private var order: [String] = []

    package init() {}

    /// The number of a try that begins now; nil while what the claim had is being ended, or may be yet.
    package mutating func begin(_ claim: String) -> UInt64? {
        guard entries[claim]?.isEnding != true else { return nil }
        begun += 1
        entries[claim] = Entry(latest: begun)
        order.removeAll { $0 == claim }
        order.append(claim)
        if order.count > Self.limit { entries[order.removeFirst()] = nil }
        return begun
    }

    /// Whether a try that was refused is to end what the claim has: not if a later one has begun. From then
    /// on none begins.
    package mutating func giveUp(_ claim: String, after number: UInt64) -> Bool {
        guard let entry = entries[claim], entry.latest == number, !entry.isEnding else { return false }
        entries[claim]?.isEnding = true
        return true
    }

    /// What the claim had is gone, and nothing is on its way that could end what it gets next.
    package mutating func ended(_ claim: String) { entries[claim]?.isEnding = false }
}
