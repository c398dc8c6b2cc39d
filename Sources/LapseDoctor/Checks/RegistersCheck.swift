import RedisClient

/// The registers of the lease lie on servers that fail independently.
struct RegistersCheck: Check {
    func findings(_ facts: DeploymentFacts) -> [DoctorFinding] {
        let wanted = facts.registers.count
        let places = facts.registers.compactMap(\.node)
        guard wanted > places.count || wanted > 1 else { return [] }
        var found: [DoctorFinding] = []
        if places.count <= wanted / 2 {
            found.append(
                DoctorFinding(
                    .breaks, "registers", "the lease cannot be held",
                    "\(wanted - places.count) of \(wanted) registers are in slots that no node owns; a majority is needed.",
                    fix: facts.nodes.first.map { facts.clusterCommand("fix", "\($0.address)") }))
        }
        found += crowding(facts, places) ?? sharedMachine(facts, places) ?? []
        return found
    }

    private func crowding(_ facts: DeploymentFacts, _ places: [NodeAddress]) -> [DoctorFinding]? {
        let wanted = facts.registers.count
        // Two lock servers are one when both addresses lead to the same process.
        let processes = places.map { place in
            facts.nodes.first { $0.address == place }?.info["run_id"] ?? "\(place)"
        }
        let domains = Set(processes).count
        guard domains < places.count else { return nil }
        let isLockServers = facts.nodes.contains(where: \.isLockServer)
        let masters = facts.nodes.count { $0.isDataMaster && $0.slotCount > 0 }
        let worst = Dictionary(grouping: zip(processes, places), by: \.0).values.max { $0.count < $1.count } ?? []
        let isSole = worst.count > wanted / 2
        let fix =
            isLockServers
            ? "name different servers in --lock-servers"
            : masters >= wanted
                ? facts.clusterCommand("rebalance", "\(places[0])")
                : "give the cluster at least \(wanted) masters, or run every replica with --registers 1"
        return [
            DoctorFinding(
                isLockServers && isSole ? .breaks : .warns, "registers", at: worst.first?.1,
                "\(wanted) registers on \(Wording.count(domains, "server", "servers"))",
                "This server holds \(worst.count) of the lease's \(wanted) registers."
                    + (isSole
                        ? " While it is down, no replica can lead."
                        : " Fewer failures are survived than registers promise."),
                fix: fix)
        ]
    }

    /// Servers on one machine fail together. Not said of loopback, where one machine is meant.
    private func sharedMachine(_ facts: DeploymentFacts, _ places: [NodeAddress]) -> [DoctorFinding]? {
        let hosts = Dictionary(grouping: places, by: \.host)
        guard let (host, shared) = hosts.max(by: { $0.value.count < $1.value.count }),
            shared.count > facts.registers.count / 2, facts.registers.count > 1,
            !host.hasPrefix("127."), host != "::1", host != "localhost"
        else { return nil }
        return [
            DoctorFinding(
                .notes, "registers", "registers share the machine \(host)",
                "\(shared.count) of \(facts.registers.count) registers are on servers of one machine: while it is down, "
                    + "no replica can lead.",
                fix: "move masters so that no machine holds a majority of the registers"
                    + (replicaElsewhere(facts, shared, host).map {
                        ": \(facts.command(on: $0, "CLUSTER", "FAILOVER"))"
                    } ?? ""))
        ]
    }

    /// A replica on another machine that can take the place of one of the masters.
    private func replicaElsewhere(
        _ facts: DeploymentFacts, _ shared: [NodeAddress], _ host: String
    ) -> NodeAddress? {
        guard facts.mode == .cluster else { return nil }
        return facts.nodes.filter { shared.contains($0.address) }
            .flatMap { facts.replicas(of: $0) }
            .first { $0.isAnswering && $0.address.host != host }?.address
    }
}
