/// The server is new enough.
struct VersionCheck: Check {
    func findings(_ facts: DeploymentFacts) -> [DoctorFinding] {
        facts.answering.compactMap { node in
            guard let version = node.info["redis_version"], let major = version.split(separator: ".").first,
                let number = Int(major), number < 6
            else { return nil }
            return DoctorFinding(
                .breaks, "version", at: node.address, "Redis \(version) is too old",
                "Lapse needs Redis 6 or later, or any Valkey.", fix: "upgrade the server")
        }
    }
}
