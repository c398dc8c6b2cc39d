/// How many letters to ask for at once: so many that a reply stays small, whatever a letter holds.
struct LetterPage: Sendable, Equatable {
    static let most = 100
    /// About what a reply is to bring, in bytes: it is read, and lies in memory, as a whole.
    static let replyBytes = 8 << 20
    /// Letters may have values of megabytes.
    private static let first = 10

    private(set) var limit: Int
    /// Below what has failed once.
    private var ceiling = LetterPage.most

    /// - Parameter wanted: the first of them may match already.
    init(wanted: Int) { limit = min(Self.first, max(1, wanted)) }

    /// A page has come.
    mutating func answered(count: Int, bytes: Int) {
        if bytes > Self.replyBytes / 2 {
            limit = min(limit, max(1, count * Self.replyBytes / bytes))
        } else if count >= limit {
            limit = min(ceiling, limit * 2)
        }
    }

    /// A page came too late, or was more than a connection takes. Returns whether less can be asked for.
    mutating func failed() -> Bool {
        guard limit > 1 else { return false }
        // Not by halves: each failure may take as long as a page may.
        limit = max(1, limit / 4)
        ceiling = limit
        return true
    }
}
