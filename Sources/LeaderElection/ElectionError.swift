/// Why an election cannot be held, or did not end well.
///
/// Compare ``code``: later versions may add codes.
public struct ElectionError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of error it is.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        /// The code's name, such as `alreadyRun`.
        public let description: String

        /// The configuration makes no sense; ``ElectionError/property`` names what to change.
        public static let configuration = Code(description: "configuration")
        /// `run` was called a second time: an elector runs once.
        public static let alreadyRun = Code(description: "alreadyRun")
        /// A body went on past its lease though its task was cancelled. Another replica may lead already, so
        /// the process must exit, with a non-zero status.
        public static let bodyOverran = Code(description: "bodyOverran")
    }

    /// What kind of error it is.
    public let code: Code
    /// The property of the configuration that is to be changed, such as `registers`; nil where it is none
    /// or several.
    public let property: String?
    /// The term whose body overran.
    public let term: UInt64?
    package let text: String

    /// One line for logs, with the fix.
    public var description: String { description { $0 } }

    /// The same, with another name for ``property``: a command has options instead.
    package func description(naming name: (_ property: String) -> String) -> String {
        property.map { "\(name($0)): \(text)" } ?? text
    }

    private init(_ code: Code, property: String? = nil, term: UInt64? = nil, _ text: String) {
        self.code = code
        self.property = property
        self.term = term
        self.text = text
    }

    package static func configuration(_ property: String?, _ text: String) -> ElectionError {
        ElectionError(.configuration, property: property, text)
    }

    package static let alreadyRun = ElectionError(
        .alreadyRun, "this elector has run already; an elector runs once")

    package static func bodyOverran(term: UInt64) -> ElectionError {
        ElectionError(
            .bodyOverran, term: term, "the body of term \(term) ignored its cancellation past the end of the lease")
    }
}

/// Why a term ended.
public enum TermEnd: String, Sendable, Hashable, CaseIterable {
    /// No majority renewed in time.
    case renewTimeout = "renew-timeout"
    /// The claim is gone at a majority of the registers.
    case lost
    /// The wall clock says that the lease has run out: it was set, or the machine was paused.
    case clockJump = "clock-jump"
    /// A resource rejected the term's token.
    case fenced
    /// The body returned.
    case finished
    /// The body threw.
    case failed
    /// ``Elector/resign()``.
    case resigned
    /// ``Elector/stop()``, or `run` was cancelled.
    case shutdown

    /// The lease was taken from the replica, rather than given back.
    public var isLoss: Bool {
        switch self {
        case .renewTimeout, .lost, .clockJump, .fenced: true
        case .finished, .failed, .resigned, .shutdown: false
        }
    }
}
