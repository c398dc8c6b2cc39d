/// Why a register gave no answer. What it was asked may have been done all the same.
///
/// Compare ``code``: later versions may add codes.
public struct RegisterError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of error it is.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        /// The code's name, such as `timedOut`.
        public let description: String

        /// Not connected, cut off, moving, loading.
        public static let unreachable = Code(description: "unreachable")
        /// No answer in time.
        public static let timedOut = Code(description: "timedOut")
        /// Authentication or permission refused: nothing but an operator can help.
        public static let denied = Code(description: "denied")
        /// The server answers and refuses to write, such as one whose memory is full.
        public static let refusesWrites = Code(description: "refusesWrites")
        /// An answer that makes no sense.
        public static let unexpected = Code(description: "unexpected")
        /// The task that asked was cancelled.
        public static let cancelled = Code(description: "cancelled")
    }

    /// What kind of error it is.
    public let code: Code
    /// What the server said, or why it was not reached; it names the server.
    public let detail: String

    /// An error of this code.
    public init(_ code: Code, _ detail: String = "") {
        self.code = code
        self.detail = detail
    }

    /// What is said by an error of this code; nil for an error of another one.
    package func detail(of code: Code) -> String? { self.code == code ? detail : nil }

    package static func unreachable(_ detail: String) -> RegisterError { RegisterError(.unreachable, detail) }
    package static var timedOut: RegisterError { RegisterError(.timedOut) }
    package static func denied(_ detail: String) -> RegisterError { RegisterError(.denied, detail) }
    package static func refusesWrites(_ detail: String) -> RegisterError { RegisterError(.refusesWrites, detail) }
    package static func unexpected(_ detail: String) -> RegisterError { RegisterError(.unexpected, detail) }
    package static var cancelled: RegisterError { RegisterError(.cancelled) }

    /// One line for logs.
    public var description: String {
        switch code {
        case .unreachable: "unreachable: \(detail)"
        case .timedOut: "no answer in time"
        case .denied: "refused: \(detail)"
        case .unexpected: "unexpected answer: \(detail)"
        case .cancelled: "cancelled"
        default: detail
        }
    }
}
