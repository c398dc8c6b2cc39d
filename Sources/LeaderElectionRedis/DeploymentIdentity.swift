/// Which deployment a lease in another store is for: a random ID that the deployment keeps itself, so
/// that it survives failovers and the exchange of every node.
///
/// The first replica draws it, after a wait: Redis may have forgotten it, and replicas that know it put
/// it back.
package struct DeploymentIdentity: Sendable {
    package private(set) var id: String?
    private let candidate: String
    private var absentSince: Duration?
    /// Longer than replicas take to put back what they know.
    private static let patience = Duration.milliseconds(2500)

    package init(candidate: String) { self.candidate = candidate }

    /// The ID to put there if there is none; empty to look only.
    package func proposal(at now: Duration) -> String {
        if let id { return id }
        guard let absentSince, now >= absentSince + Self.patience else { return "" }
        return candidate
    }

    /// - Parameter stored: what stands there after the proposal; empty for nothing.
    package mutating func take(_ stored: String, at now: Duration) {
        let known = stored.filter { $0.isASCII && ($0.isLetter || $0.isNumber) }.prefix(32)
        if known.isEmpty {
            absentSince = absentSince ?? now
        } else {
            id = String(known)
        }
    }
}
