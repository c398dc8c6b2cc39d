import NIOCore

extension Elector {
    /// The leader, by the registers' word.
    package struct Standing: Sendable {
        package var leader: String?
        /// Until the majority is lost, unless renewed; nil where the store does not tell.
        package var left: Duration?
    }

    /// Asks all registers for their holder, and changes nothing; nil when fewer than a majority answered.
    package func look() async -> Standing? {
        let seen = await withTaskGroup(of: Observation?.self) { group in
            // All at once: one that does not answer holds up no other, and has its own limit.
            for register in registers {
                group.addTask { [name = configuration.name] in try? await register.observe(name) }
            }
            return await group.reduce(into: [Observation]()) { seen, one in
                if let one { seen.append(one) }
            }
        }
        let majority = registers.count / 2 + 1
        guard seen.count >= majority else { return nil }
        let held = Dictionary(grouping: seen.filter { $0.holder != nil }, by: { $0.holder ?? "" })
        guard let most = held.values.max(by: { $0.count < $1.count }), most.count >= majority else { return Standing() }
        let left = most.compactMap(\.ttl).sorted(by: >).dropFirst(majority - 1).first
        return Standing(leader: most.first?.leader, left: left)
    }
}
