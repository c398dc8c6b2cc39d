package import Lapse

/// What the admin port asks of the service it speaks for. Called on every request, so answers must be
/// at hand.
package protocol AdminSource: Sendable {
    /// Nil while the process works, else why it should be restarted: a leader that failed to renew past its
    /// lease. Losing Redis is no reason, for a restart would not bring it back.
    func liveness() -> String?

    /// Empty when ready, else the reasons, one a line: `127.0.0.1:30002: not subscribed`.
    func readiness() -> [String]

    /// What an operator has asked for, one a line; no reason against readiness.
    func notices() -> [String]

    /// The state as a JSON object.
    func statusJSON() -> [UInt8]

    /// What the page samples each second; nil before there is anything.
    func figures() -> ViewFigures?

    /// How the group stands, for the page. Asks the registers where this replica does not lead.
    ///
    /// - Parameter samples: how many of the next expirations are to be noted.
    func view(samples: Int) async -> GroupView?

    /// Called before the metrics are rendered, for gauges that change by themselves, such as a lease
    /// running out.
    func refreshGauges()
}
