/// Why a processor cannot run. The text names the thing and the fix, never a secret.
public enum LapseError: Error, Sendable, CustomStringConvertible {
    /// The configuration makes no sense.
    case configuration(String)
    /// Redis could not be reached within the startup timeout.
    case unreachable(String)
    /// Authentication, permission or TLS refused: an operator must act.
    case denied(String)
    /// A handler ignored its cancellation past the end of the lease: the process should exit.
    case handlerOverran(term: UInt64)

    /// One line, with the fix.
    public var description: String {
        switch self {
        case .configuration(let text), .unreachable(let text), .denied(let text): text
        case .handlerOverran(let term):
            "a handler ignored its cancellation past the end of the lease of term \(term)"
        }
    }
}
