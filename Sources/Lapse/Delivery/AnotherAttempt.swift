/// What a failure says about another attempt.
package enum AnotherAttempt: Sendable, Equatable {
    /// After the wait that the processor is configured with, as long as there are attempts left.
    case asConfigured
    /// The same, but not before this much time has passed.
    case notBefore(Duration)
    /// This was none: what it needs is away. After this much time.
    ///
    /// - Parameter others: whether others may succeed meanwhile. If not, all wait where they are.
    case whenPossible(after: Duration, others: Bool)
    /// None would succeed: the expiration is a dead letter now.
    case pointless
}

/// An error of a handler that knows more about another attempt than the configuration.
package protocol AdvisesOnAttempts: Error {
    var anotherAttempt: AnotherAttempt { get }
}
