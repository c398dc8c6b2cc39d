/// A server that answers and refuses to write: its memory is full, it cannot save, or too few replicas
/// follow it.
///
/// It goes on announcing expirations all the while, and reads go on too. Inside a script the reply is
/// wrapped: `ERR Error running script …: -OOM command not allowed …` on 6.2,
/// `OOM … script: <digest>, on @user_script:1.` later.
package struct RefusedWrite: Sendable, Equatable {
    /// Redis' own words, without what a script adds around them.
    package let words: String

    private static let signs = ["OOM command not allowed", "MISCONF ", "NOREPLICAS "]

    /// Nil when the text is about something else.
    package init?(_ text: String) {
        guard let begin = Self.signs.lazy.compactMap({ text.firstRange(of: $0)?.lowerBound }).first else { return nil }
        var rest = text[begin...]
        if let end = rest.firstRange(of: " script: ")?.lowerBound { rest = rest[..<end] }
        while rest.last?.isWhitespace ?? false { rest.removeLast() }
        words = String(rest)
    }

    package init?(_ error: RedisError) {
        guard case .reply = error.kind else { return nil }
        self.init(error.text)
    }
}
