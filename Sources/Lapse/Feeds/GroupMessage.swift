import RESP

/// What replicas of a group tell each other on the control channel, besides marks, releases and
/// questions about holes.
///
/// The version stands in each message; one of another version is passed over. Any client may publish
/// here, so nothing is believed for being heard: a question costs a bounded answer, an answer only ends
/// a wait, and a leader's word is checked.
enum GroupMessage: Sendable, Equatable {
    /// The text of a ``SharedProgress``.
    case progress(String)
    /// A replica has begun to listen: what a leader told that the registers refuse is to be repeated for
    /// it.
    case wanted
    /// A replica is about to number a process anew: peers are to look whether their own numbers hold.
    case check(NumberQuestion)
    /// One has looked.
    case checked(nonce: String, replica: String)
    /// A process was found not to announce expirations, and is about to be set to. By run ID.
    case silenced(String)
    /// An operator has left a wish in the registers: they are to be read now. It says no more, so a forged
    /// one moves nothing.
    case wish
    /// An operator asks what became of a key: see ``TraceQuestion``. The nonce names where the question
    /// lies.
    case trace(nonce: String)
    /// Of another build: `progress:v2`.
    case unknown(String)

    private static let progress = Array("progress:v".utf8)
    private static let wants = Array("wanted:v".utf8)
    private static let check = Array("check:v".utf8)
    private static let checked = Array("checked:v".utf8)
    private static let silenced = Array("silenced:v".utf8)
    private static let wishes = Array("wish:v".utf8)
    private static let traces = Array("trace:v".utf8)

    init?(_ payload: RawSpan) {
        let isOurs = [
            Self.progress, Self.wants, Self.check, Self.checked, Self.silenced, Self.wishes, Self.traces,
        ].contains { payload.starts(with: $0) }
        guard isOurs, payload.byteCount <= SharedProgress.limitBytes else { return nil }
        self.init(payload.text)
    }

    init?(_ text: String) {
        let parts = text.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3,
            ["progress", "wanted", "check", "checked", "silenced", "wish", "trace"].contains(parts[0])
        else { return nil }
        switch (parts[0], parts[1]) {
        case ("progress", "v1"): self = .progress(text)
        case ("wanted", "v1"): self = .wanted
        case ("check", "v1"):
            guard let question = NumberQuestion(parts[2]) else { return nil }
            self = .check(question)
        case ("checked", "v1"):
            let words = parts[2].split(separator: ":", maxSplits: 1)
            guard words.count == 2 else { return nil }
            self = .checked(nonce: String(words[0]), replica: String(words[1]))
        case ("silenced", "v1"): self = .silenced(String(parts[2]))
        case ("wish", "v1"): self = .wish
        case ("trace", "v1"):
            guard TraceQuestion.isNonce(parts[2]) else { return nil }
            self = .trace(nonce: String(parts[2]))
        default: self = .unknown("\(parts[0]):\(parts[1].prefix(8))")
        }
    }

    var text: String {
        switch self {
        case .progress(let text): text
        case .wanted: "wanted:v1:"
        case .check(let question): "check:v1:\(question.nonce):\(question.runID):\(question.asker)"
        case .checked(let nonce, let replica): "checked:v1:\(nonce):\(replica)"
        case .silenced(let runID): "silenced:v1:\(runID)"
        case .wish: "wish:v1:"
        case .trace(let nonce): "trace:v1:\(nonce)"
        case .unknown(let text): text
        }
    }
}

/// About a process' numbers.
struct NumberQuestion: Sendable, Equatable {
    var nonce: String
    var runID: String
    /// It does not answer itself; it comes last, for an id may hold a colon.
    var asker: String

    init(nonce: String, runID: String, asker: String) {
        self.nonce = nonce
        self.runID = runID
        self.asker = asker
    }

    init?(_ text: Substring) {
        let words = text.split(separator: ":", maxSplits: 2)
        guard words.count == 3, text.utf8.count <= 1024 else { return nil }
        self.init(nonce: String(words[0]), runID: String(words[1]), asker: String(words[2]))
    }
}
