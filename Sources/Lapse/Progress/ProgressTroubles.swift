import RedisClient

/// Why a register does not give or take progress.
package struct ProgressTrouble: Sendable, Equatable {
    /// The register's key.
    package var register: String
    /// The server, and its own words.
    package var text: String
    /// The server answers, and says no: waiting does not help by itself.
    package var isRefusal: Bool

    /// A right is missing. What else is refused passes by itself when a failover or a start is over.
    package var isForbidden: Bool { MissingRight.isNamed(in: text) }

    package init(register: String, text: String, isRefusal: Bool) {
        self.register = register
        self.text = text
        self.isRefusal = isRefusal
    }

    init(_ register: String, _ error: RedisError) {
        let isReply = if case .reply = error.kind { true } else { false }
        let words = RefusedWrite(error)?.words ?? error.text
        self.init(
            register: register, text: error.node.map { "\($0): \(words)" } ?? words,
            isRefusal: isReply || error.isPermanent)
    }
}

/// What stands in the way now, of each of the three things that are done with a register.
package struct ProgressTroubles: Sendable, Equatable {
    /// A majority cannot be read.
    package var reading: ProgressTrouble?
    /// A majority takes no cursors.
    package var writing: ProgressTrouble?
    /// A register takes no note of this replica, so that others do not ask it for what they missed.
    package var presence: ProgressTrouble?
    /// The registers that do not let this replica read, by their last word: one that is away has not taken
    /// it back.
    package private(set) var forbidding: [String: ProgressTrouble] = [:]

    package init() {}

    /// Takes the answers of all registers to one question for the progress.
    mutating func read(_ replies: [ProgressKeeper.Reply]) {
        for reply in replies {
            guard let error = reply.error else {
                forbidding[reply.register] = nil
                continue
            }
            let trouble = ProgressTrouble(reply.register, error)
            if trouble.isForbidden { forbidding[reply.register] = trouble }
        }
    }
}

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
