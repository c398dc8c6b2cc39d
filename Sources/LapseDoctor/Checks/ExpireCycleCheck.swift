import Lapse

/// The fast expire cycle of Redis 6.0 to 8.8 never runs: a fraction is compared with a percentage
/// (redis#15410, mended on 13 July 2026). It matters where many keys are overdue: the slow cycle alone
/// works that off.
struct ExpireCycleCheck: Check {
    /// Of the keys with a TTL, in percent, by the server's own estimate: from here on the fast cycle would
    /// run.
    private static let stale = 10.0
    private static let eagerHz = 100

    func findings(_ facts: DeploymentFacts) -> [DoctorFinding] {
        facts.answering.filter(\.isDataMaster).compactMap { node in
            guard let version = ServerVersion(node), Self.isAffected(version),
                let stale = node.info["expired_stale_perc"].flatMap(Double.init), (Self.stale...100).contains(stale)
            else { return nil }
            let hz = (node.info["configured_hz"] ?? node.info["hz"]).flatMap { Int($0) } ?? 10
            let remedy =
                hz < Self.eagerHz
                ? "A higher hz makes the slow cycle run more often."
                : "hz is \(hz) already: --punctual track does not wait for it."
            return DoctorFinding(
                .notes, "expire-cycle", at: node.address, "overdue keys pile up, and the fast expire cycle never runs",
                "About \(Int(stale.rounded())) % of the keys with a TTL are overdue. In \(version.name) a mistake keeps the fast expire cycle from "
                    + "ever running (redis#15410; releases after July 2026 mend it). \(remedy)",
                fix: hz < Self.eagerHz
                    ? facts.command(on: node.address, "CONFIG", "SET", "hz", "\(Self.eagerHz)")
                    : "lapse run --punctual track")
        }
    }

    /// Valkey took it over; seen in 8.0.
    private static func isAffected(_ version: ServerVersion) -> Bool {
        version.product == .redis ? version.isWithin((6, 0), (8, 8)) : version.isWithin((7, 2), (8, 0))
    }
}
