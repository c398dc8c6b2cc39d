import RedisClient

/// Every node of a cluster calls itself by the address at which the others reach it.
struct AddressesCheck: Check {
    func findings(_ facts: DeploymentFacts) -> [DoctorFinding] {
        facts.answering.compactMap { node in
            guard let own = node.ownWord, own != node.announced else { return nil }
            let announced = node.announced.map { "\($0)" } ?? "nothing"
            return DoctorFinding(
                .warns, "addresses", at: node.address, "calls itself \(own), the others call it \(announced)",
                "Lapse goes by the others. Clients that ask this node itself are sent to an address that may be dead, or "
                    + "another server's.",
                fix: facts.command(
                    on: node.address, "CONFIG", "SET", "cluster-announce-ip", node.announced?.host ?? node.address.host)
            )
        }
    }
}
