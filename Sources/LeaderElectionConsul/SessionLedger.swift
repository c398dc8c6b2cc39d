/// Which session belongs to which claim: one each, from the first attempt to the end of the claim.
struct SessionLedger: Sendable {
    enum Entry: Sendable, Equatable {
        /// It was asked for; whether it exists is not known until the answer comes.
        case asked
        case open(String)
    }

    /// Claims that were left to lapse stay in the book until newer ones displace them: their sessions end
    /// by themselves.
    private static let limit = 32
    private var entries: [String: Entry] = [:]
    private var order: [String] = []

    subscript(claim: String) -> Entry? {
        get { entries[claim] }
        set {
            if newValue == nil || entries[claim] == nil { order.removeAll { $0 == claim } }
            if newValue != nil, entries[claim] == nil { order.append(claim) }
            entries[claim] = newValue
            while order.count > Self.limit { entries[order.removeFirst()] = nil }
        }
    }
}
