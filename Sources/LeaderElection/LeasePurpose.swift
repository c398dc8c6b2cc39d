/// What a lease is for, as it stands beside a claim: `elect`, `run`, or
/// `run <deployment> at <address>`.
///
/// Two groups that share a name and a store would exclude each other without a word: one would never
/// lead. The purpose tells them apart. The address is only for people; a deployment is known by its ID.
package struct LeasePurpose: Sendable, Hashable, CustomStringConvertible {
    package var kind: String
    /// Drawn once for each deployment, and kept in it.
    package var deployment: String?
    package var address: String?

    package init(kind: String, deployment: String? = nil, address: String? = nil) {
        self.kind = kind
        self.deployment = deployment
        self.address = address
    }

    package init(_ text: String) {
        let parts = text.split(separator: " ", maxSplits: 3).map(String.init)
        kind = parts.first ?? ""
        deployment = parts.count > 1 ? parts[1] : nil
        address = parts.count > 3 ? parts[3] : nil
    }

    package var description: String {
        guard let deployment else { return kind }
        return "\(kind) \(deployment)\(address.map { " at \($0)" } ?? "")"
    }

    /// Nothing that both know differs.
    package func agrees(with other: LeasePurpose) -> Bool {
        if kind.isEmpty || other.kind.isEmpty { return true }
        guard kind == other.kind else { return false }
        return deployment == nil || other.deployment == nil || deployment == other.deployment
    }

    /// Rules and purpose in one line, for error texts.
    package func appended(to rules: String) -> String {
        kind.isEmpty ? rules : "\(rules)\(rules.isEmpty ? "" : " ")for \(description)"
    }
}
