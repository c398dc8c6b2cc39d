import RESP

/// What the leader says to a wish, in the progress hash: only a leader may write it, under its own
/// token.
package struct SteeringAnswer: Sendable, Equatable {
    package enum Verdict: String, Sendable {
        /// It hands over.
        case accepted
        /// Another replica leads now: the one that says so.
        case done
        /// Nothing is handed out.
        case paused
        /// It hands out again.
        case resumed
        /// The wish cannot be fulfilled; the text says why.
        case refused
    }

    package var token: UInt64
    package var nonce: String
    package var verdict: Verdict
    /// The replica that answers.
    package var replica: String
    package var text: String

    /// The names in the progress hash: one for each kind of wish, since both kinds may stand at once.
    /// Builds before wrote and read one for both, so the last answer is also there.
    package static let lastField = "steered"
    package var field: String { "\(Self.lastField):\(kind.rawValue)" }

    static func isField(_ field: String) -> Bool {
        field == lastField || Wish.Kind.allCases.contains { field == "\(lastField):\($0.rawValue)" }
    }

    /// What kind of wish it answers.
    package var kind: Wish.Kind {
        switch verdict {
        case .paused, .resumed: .pause
        case .accepted, .done, .refused: .stepDown
        }
    }

    package init(token: UInt64, nonce: String, verdict: Verdict, replica: String, text: String = "") {
        (self.token, self.nonce, self.verdict) = (token, nonce, verdict)
        (self.replica, self.text) = (replica, text)
    }

    /// `v1 token nonce verdict replica text`.
    package var written: String {
        "v1 \(token) \(nonce) \(verdict.rawValue) \(EscapedWord.escape(replica)) \(EscapedWord.escape(text))"
    }

    /// Nil for text that no leader of this format wrote.
    package init?(written: String) {
        guard written.utf8.count <= 4096 else { return nil }
        let parts = written.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 6, parts[0] == "v1", let token = PlausibleCount.read(parts[1]), Wish.isNonce(parts[2]),
            let verdict = Verdict(rawValue: String(parts[3])), let replica = EscapedWord.read(parts[4]),
            let text = EscapedWord.read(parts[5])
        else { return nil }
        self.init(token: token, nonce: String(parts[2]), verdict: verdict, replica: replica, text: text)
    }
}
