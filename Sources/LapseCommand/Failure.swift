import Lapse
import LapseHandlers
import LeaderElection
import RedisClient

/// Why the command ends: one line for the caller, and the exit code.
struct Failure: Error, Sendable, CustomStringConvertible {
    /// Exit codes; scripts and service managers rely on them (the first four are of sysexits.h).
    enum Code: Int32, Sendable {
        case usage = 64
        case unreachable = 69
        case `internal` = 70
        case denied = 77
        /// No such command, as shells have it.
        case notFound = 127
        /// The answer is no: `status` without a leader, `doctor` with findings.
        case negative = 1
    }

    let code: Code
    let description: String

    init(_ code: Code, _ text: String) {
        self.code = code
        // One line, whatever a server or a file put into its message.
        description = text.split(whereSeparator: \.isNewline).joined(separator: " ")
    }

    static func usage(_ text: String) -> Failure { Failure(.usage, text) }

    /// Any error, as the contract's exit codes see it.
    init(_ error: any Error) {
        switch error {
        case let failure as Failure: self = failure
        case let error as LapseError:
            let code: Code =
                switch error.code {
                case .configuration: .usage
                case .unreachable: .unreachable
                case .denied: .denied
                default: .internal
                }
            self.init(code, error.description(naming: OptionRow.flag(ofProperty:)))
        case let error as RedisError: self.init(LapseError(error))
        case let error as RegisterError:
            switch error.code {
            case .denied: self.init(.denied, error.description)
            case .unreachable, .timedOut, .refusesWrites: self.init(.unreachable, error.description)
            default: self.init(.internal, error.description)
            }
        case let error as ElectionError:
            self.init(
                error.code == .configuration ? .usage : .internal,
                error.description(naming: OptionRow.flag(ofProperty:)))
        case let error as LineOutput.Broken: self.init(.internal, error.description)
        default: self.init(.internal, "\(error)")
        }
    }
}
