import RedisClient

/// Each partition of `--stream` is a stream, or not there yet, and Lapse may look at it.
struct StreamKeyCheck: Check {
    func findings(_ facts: DeploymentFacts) -> [DoctorFinding] {
        facts.partitions.compactMap { partition in
            if let type = partition.wrongType {
                return DoctorFinding(
                    .breaks, "stream", "the key of the stream is no stream",
                    "\(partition.key) is a \(type): nothing can be appended there, and expirations wait in the logs until "
                        + "they are lost.",
                    fix: "name another key by --stream, or delete \(partition.key)")
            }
            guard case .refused(let text) = partition.standing, !facts.isRefused(.appending) else { return nil }
            return DoctorFinding(
                .breaks, "stream", "no right to the key of the stream",
                "Refused: \(text). Lapse asks for the type of \(partition.key), and appends to it.",
                fix: "give the user what lapse doctor --acl --stream prints")
        }
    }
}
