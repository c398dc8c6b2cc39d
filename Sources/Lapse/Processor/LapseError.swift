import LeaderElection

/// Why a processor cannot run, or had to end. The text names the thing and the fix, never a secret.
///
/// Compare ``code``: later versions may add codes.
public struct LapseError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of error it is.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        /// The code's name, such as `unreachable`.
        public let description: String

        /// The configuration makes no sense; ``LapseError/property`` names what to change.
        public static let configuration = Code(description: "configuration")
        /// Redis could not be reached within the startup timeout.
        public static let unreachable = Code(description: "unreachable")
        /// Redis refused authentication, a permission or TLS: an operator must act.
        public static let denied = Code(description: "denied")
        /// A handler ignored its cancellation past the end of the lease: the process should exit.
        public static let handlerOverran = Code(description: "handlerOverran")
    }

    /// What kind of error it is.
    public let code: Code
    /// The property of ``ProcessorConfiguration`` that is to be changed, such as `leaseTTL`; nil where it
    /// is none or several.
    public let property: String?
    private let value: String?
    private let text: String

    /// One line, with the fix.
    public var description: String { description { $0 } }

    /// The same, with another name for ``property``: a command has options instead.
    package func description(naming name: (_ property: String) -> String) -> String {
        guard let property else { return text }
        return "\(name(property))\(value.map { " " + $0 } ?? ""): \(text)"
    }

    private init(_ code: Code, property: String? = nil, value: String? = nil, _ text: String) {
        self.code = code
        self.property = property
        self.value = value
        self.text = text
    }

    /// - Parameters:
    ///   - property: of ``ProcessorConfiguration``.
    ///   - value: what it has, where that says more.
    package static func configuration(_ property: String?, value: String? = nil, _ text: String) -> LapseError {
        LapseError(.configuration, property: property, value: value, text)
    }

    package static func unreachable(_ text: String) -> LapseError { LapseError(.unreachable, text) }
    package static func denied(_ text: String) -> LapseError { LapseError(.denied, text) }

    package static func handlerOverran(term: UInt64) -> LapseError {
        LapseError(
            .handlerOverran, "a handler ignored its cancellation past the end of the lease of term \(term)")
    }

    init(_ error: ElectionError) {
        switch error.code {
        case .bodyOverran: self = .handlerOverran(term: error.term ?? 0)
        default: self = .configuration(error.property, error.text)
        }
    }
}
