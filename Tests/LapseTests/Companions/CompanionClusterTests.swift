import Testing
import ThrowawayRedis

@testable import Lapse

/// Companions in a real cluster.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct CompanionClusterTests {
    private func withCluster(
        _ body: @Sendable (ThrowawayCluster, ProcessorConfiguration) async throws -> Void
    ) async throws {
        let cluster = try await ThrowawayCluster.start()
        var configuration = ProcessorConfiguration(
            redis: cluster.urls.split(separator: ",").map(String.init), name: "companions", match: ["session:*"])
        configuration.leaseTTL = .seconds(2)
        configuration.companions = ["session:* => session-data:*"]
        do { try await body(cluster, configuration) } catch {
            await cluster.shutDown()
            throw error
        }
        await cluster.shutDown()
    }

    private func companionsLeft(_ cluster: ThrowawayCluster) async throws -> Int {
        var count = 0
        for master in try await cluster.masters() {
            count += try await master.cli("KEYS", "session-data:*").split(separator: "\n").count
        }
        return count
    }

    @Test("row 42: no replica runs while 200 timers expire; after the start each is handled once")
    func nobodyWasListening() async throws {
        try await withCluster { cluster, configuration in
            let ids = (0..<200).map { "{\($0)}" }
            let byNode = try await Self.grouped(ids, cluster)
            for (node, ids) in byNode {
                try await node.script(
                    ids.flatMap { ["SET session-data:\($0) value-\($0)", "SET session:\($0) 1 PX 100"] })
            }
            try await waitUntil("every timer has expired unheard", within: .seconds(60)) {
                var left = 0
                for (node, ids) in byNode { left += (Int(try await node.cli("DBSIZE")) ?? 0) - ids.count }
                return left == 0 ? nil : "\(left) are left"
            }
            let handler = RunningHandler()
            try await handler.run(configuration) {
                try await handler.waitFor(ids.map { "session:\($0)" })
                try await waitUntil("every companion is deleted", within: .seconds(20)) {
                    let left = try await companionsLeft(cluster)
                    return left == 0 ? nil : "\(left) are left"
                }
            }
            #expect(handler.handled.count == ids.count, "each once")
            #expect(Set(handler.handled.compactMap(\.text)) == Set(ids.map { "value-\($0)" }))
            #expect(handler.handled.allSatisfy { $0.origin == .reconcile })
        }
    }

    @Test func aCompanionInAnotherSlotIsLeftAlone() async throws {
        try await withCluster { cluster, configuration in
            #expect(KeySlot.of("session:7") != KeySlot.of("session-data:7"))
            let handler = RunningHandler()
            try await handler.run(configuration) {
                try await cluster.node(owningSlot: KeySlot.of("session-data:7")).cli("SET", "session-data:7", "cart")
                try await cluster.node(owningSlot: KeySlot.of("session:7")).cli("SET", "session:7", "1", "PX", "100")
                try await handler.waitFor(["session:7"])
            }
            #expect(handler.handled.map(\.value) == [nil])
            #expect(try await companionsLeft(cluster) == 1)
        }
    }

    private static func grouped(
        _ ids: [String], _ cluster: ThrowawayCluster
    ) async throws -> [(ThrowawayServer, [String])] {
        var groups: [Int: (ThrowawayServer, [String])] = [:]
        for id in ids {
            let node = try await cluster.node(owningSlot: KeySlot.of("session:\(id)"))
            groups[node.port, default: (node, [])].1.append(id)
        }
        return Array(groups.values)
    }
}
