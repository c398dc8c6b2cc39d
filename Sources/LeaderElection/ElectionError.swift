/// Why an election cannot be held, or did not end well.
public enum ElectionError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The configuration makes no sense; the text says what and why.
    case configuration(String)
    /// `run` was called a second time: an elector runs once.
    case alreadyRun
    /// A body went on past its lease though its task was cancelled. Another replica may lead already, so
    /// the process must exit, with a non-zero status.
    case bodyOverran(term: UInt64)

    /// One line for logs.
    public var description: String {
        switch self {
        case .configuration(let text): text
        case .alreadyRun: "this elector has run already; an elector runs once"
        case .bodyOverran(let term): "the body of term \(term) ignored its cancellation past the end of the lease"
        }
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
