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

    private(set) subscript(claim: String) -> Entry? {
        get { entries[claim] }
        set {
            if newValue == nil || entries[claim] == nil { order.removeAll { $0 == claim } }
            if newValue != nil, entries[claim] == nil { order.append(claim) }
            entries[claim] = newValue
            while order.count > Self.limit { entries[order.removeFirst()] = nil }
        }
    }

    func opened(by claim: String) -> String? {
        if case .open(let session) = entries[claim] { session } else { nil }
    }

    /// A session is about to be asked for; false if another try has opened one by now.
    mutating func ask(_ claim: String) -> Bool {
        guard opened(by: claim) == nil else { return false }
        self[claim] = .asked
        return true
    }

    /// A session of the claim was found or made. Returns the one that counts: what a try has opened is not
    /// displaced by the late answer to another.
    mutating func adopt(_ session: String, for claim: String) -> String {
        if let known = opened(by: claim) { return known }
        self[claim] = .open(session)
        return session
    }

    /// The session has ended, or nil: there is none. Another one stays in the book.
    mutating func forget(_ session: String?, of claim: String) {
        if let known = opened(by: claim), known != session { return }
        self[claim] = nil
    }
}
