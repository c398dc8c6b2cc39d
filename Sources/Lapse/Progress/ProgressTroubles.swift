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
