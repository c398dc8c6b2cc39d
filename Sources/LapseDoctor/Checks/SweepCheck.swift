import Lapse

/// A long SCAN walks in the order of the server's own expiry cursor, which then finds only clean ground
/// and expires nothing (redis#15411, seen on 8.2.2): no sweep should be all that makes such a server
/// punctual.
struct SweepCheck: Check {
    func findings(_ facts: DeploymentFacts) -> [DoctorFinding] {
        guard facts.rights.punctual == .sweep else { return [] }
        return facts.answering.filter(\.isDataMaster).compactMap { node in
            guard let version = ServerVersion(node), version.product == .redis, version.isWithin((8, 2), (8, 8)) else {
                return nil
            }
            return DoctorFinding(
                .notes, "sweep", at: node.address, "sweeps may keep this server from expiring keys itself",
                "--punctual sweep reads the keyspace over and over by SCAN. In \(version.name) a SCAN can starve the server's own expire cycle "
                    + "(redis#15411): keys that no --match names would then stay for long. With --punctual track sweeps are few.",
                fix: "lapse run --punctual track")
        }
    }
}
