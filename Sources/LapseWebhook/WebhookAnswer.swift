package import Lapse

/// What became of a request: what the receiver answered, or that it did not.
enum WebhookAnswer: Sendable, Equatable {
    case status(UInt, retryAfter: Duration?)
    case none(String)

    /// Nil when the receiver has taken it.
    var failure: WebhookFailed? {
        switch self {
        case .status(200..<300, _): nil
        case .status(let status, let wait) where [408, 425, 429].contains(status) || (500..<600).contains(status):
            WebhookFailed(
                description: "the receiver answers \(status)",
                anotherAttempt: wait.map { .notBefore(min($0, Self.longestWait)) } ?? .asConfigured)
        case .status(let status, _) where (300..<400).contains(status):
            WebhookFailed(
                description: "the receiver answers \(status), and redirects are not followed: give the URL itself",
                anotherAttempt: .pointless)
        case .status(let status, _):
            WebhookFailed(description: "the receiver refuses it with \(status)", anotherAttempt: .pointless)
        case .none(let reason): WebhookFailed(description: reason, anotherAttempt: .asConfigured)
        }
    }

    /// The most of a `Retry-After` that is heeded.
    static let longestWait = Duration.seconds(60)

    /// Seconds; the form with a date is not heeded.
    static func retryAfter(_ header: String?) -> Duration? {
        guard let header, header.utf8.count <= 9, let seconds = UInt32(header) else { return nil }
        return .seconds(Int64(seconds))
    }
}

/// A webhook was not taken.
package struct WebhookFailed: Error, Equatable, CustomStringConvertible, AdvisesOnAttempts {
    package let description: String
    package let anotherAttempt: AnotherAttempt
}
