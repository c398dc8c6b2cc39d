/// Moving slots with their keys while clients go on working.
extension ThrowawayCluster {
    /// Moves the first `count` slots of `source`.
    package func moveSlots(
        count: Int, from source: ThrowawayServer, to target: ThrowawayServer
    ) async throws {
        let owned = try await slots(of: source).flatMap(Array.init)
        try await move(Array(owned.prefix(count)), from: source, to: target)
    }

    /// Moves a range of slots, all of them served by `source`.
    package func moveSlots(
        _ range: ClosedRange<Int>, from source: ThrowawayServer, to target: ThrowawayServer
    ) async throws {
        try await move(Array(range), from: source, to: target)
    }

    /// Moves an equal share of every other master's slots to `target`.
    package func rebalance(onto target: ThrowawayServer) async throws {
        let others = try await masters().filter { $0 !== target }
        for source in others {
            let owned = try await slots(of: source).flatMap(Array.init)
            try await move(Array(owned.suffix(owned.count / (others.count + 1))), from: source, to: target)
        }
    }

    private func move(_ slots: [Int], from source: ThrowawayServer, to target: ThrowawayServer) async throws {
        let sourceID = try await source.cli("CLUSTER", "MYID")
        let targetID = try await target.cli("CLUSTER", "MYID")
        // In portions: a slot on the move costs clients a redirect for each key.
        for start in stride(from: 0, to: slots.count, by: 256) {
            let portion = slots[start..<min(start + 256, slots.count)]
            try await target.script(portion.map { "CLUSTER SETSLOT \($0) IMPORTING \(sourceID)" })
            try await source.script(portion.map { "CLUSTER SETSLOT \($0) MIGRATING \(targetID)" })
            try await migrateKeys(of: Array(portion), from: source, to: target)
            // The target first: were the source first and then to die, no node would own the slot.
            let settle = portion.map { "CLUSTER SETSLOT \($0) NODE \(targetID)" }
            try await target.script(settle)
            do {
                try await source.script(settle)
            } catch {
                // A master that hears it lost its last slot becomes a replica by itself, and needs no telling.
                guard try await source.role() == .replica else { throw error }
            }
        }
        try await waitUntilHealthy()
    }

    private func migrateKeys(
        of slots: [Int], from source: ThrowawayServer, to target: ThrowawayServer
    ) async throws {
        let login = options.server.password.map { " AUTH \($0.quotedForRedis)" } ?? ""
        var remaining = slots
        while !remaining.isEmpty {
            let listing = try await source.script(remaining.map { "CLUSTER GETKEYSINSLOT \($0) 200" })
            let keys = Self.quotedKeys(listing)
            guard keys.count == remaining.count else {
                throw ThrowawayRedisError("\(source.address): cannot read its keys from: \(listing.prefix(200))")
            }
            let commands = keys.filter { !$0.isEmpty }.map { keys in
                "MIGRATE \(target.host) \(target.port) \"\" 0 5000\(login) KEYS \(keys.joined(separator: " "))"
            }
            remaining = zip(remaining, keys).filter { !$1.isEmpty }.map(\.0)
            guard !commands.isEmpty else { continue }
            do {
                try await source.script(commands)
            } catch let error where "\(error)".contains("CLUSTERDOWN") {
                // Nodes of a starved machine miss each other. What was not moved is listed again.
                try await waitUntilHealthy()
            }
        }
    }

    /// The keys of each reply, still in the quotes of redis-cli: fit for its input, whatever bytes they
    /// hold.
    private static func quotedKeys(_ listing: String) -> [[String]] {
        var replies: [[String]] = []
        for line in listing.split(separator: "\n") {
            guard let mark = line.firstIndex(of: ")"), let start = line.firstIndex(of: "\""), mark < start else {
                replies.append([])
                continue
            }
            let key = String(line[start...])
            if line[..<mark].drop(while: { $0 == " " }) == "1" {
                replies.append([key])
            } else {
                replies[replies.count - 1].append(key)
            }
        }
        return replies
    }
}
