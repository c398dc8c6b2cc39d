package import RedisClient

/// Something about the servers that an operator should know, and the command that mends it.
package struct DoctorFinding: Sendable, Equatable {
    /// How much it matters; the worst comes first.
    package enum Severity: String, Sendable, CaseIterable, Comparable {
        /// Expirations are lost, or no replica can lead.
        case breaks
        /// It works now, but not all that was asked for does, or a failure that Lapse should survive would
        /// cost expirations or the lease.
        case warns
        /// Worth knowing.
        case notes

        private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }

        package static func < (left: Severity, right: Severity) -> Bool { left.rank < right.rank }
    }

    /// The check that found it: a word that scripts may rely on.
    package var check: String
    package var severity: Severity
    /// Nil when it concerns the whole deployment.
    package var node: NodeAddress?
    package var title: String
    package var detail: String
    /// What to type. One line.
    package var fix: String?

    package init(
        _ severity: Severity, _ check: String, at node: NodeAddress? = nil, _ title: String, _ detail: String,
        fix: String? = nil
    ) {
        self.check = check
        self.severity = severity
        self.node = node
        self.title = Self.line(title)
        self.detail = Self.line(detail)
        self.fix = fix.map(Self.line)
    }

    /// Words of servers, replicas and users are in it: nothing of them may end the line or steer a
    /// terminal.
    private static func line(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map {
                    switch $0.properties.generalCategory {
                    // Format characters turn the direction of a line around.
                    case .control, .format, .lineSeparator, .paragraphSeparator: "?"
                    default: $0
                    }
                }))
    }
}
