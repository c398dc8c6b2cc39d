import Testing
import ThrowawayRedis
import Timing

@testable import Lapse

/// `--punctual track` on a cluster whose nodes expire nothing by themselves, while slots change hands.
@Suite(.serialized, .timeLimit(.minutes(4)))
struct PunctualClusterTests {
    private func withCluster(
        replicas: Int, extra: [String] = [],
        _ body: @Sendable (ThrowawayCluster, ProcessorConfiguration) async throws -> Void
    ) async throws {
        var options = ClusterOptions()
        options.replicasPerMaster = replicas
        options.server.notifications = "Exg"
        options.server.extra += ["enable-debug-command yes"] + extra
        let cluster = try await ThrowawayCluster.start(options)
        var configuration = ProcessorConfiguration(
            redis: cluster.urls.split(separator: ",").map(String.init), name: "punctual", match: ["timer:*"])
        configuration.leaseTTL = .seconds(3)
        configuration.punctual = .track
        do {
            for node in cluster.nodes { try await node.cli("DEBUG", "SET-ACTIVE-EXPIRE", "0") }
            try await body(cluster, configuration)
        } catch {
            await cluster.shutDown()
            throw error
        }
        await cluster.shutDown()
    }

    /// Sets keys with TTLs on whichever node owns them.
    private static func arm(_ ids: Range<Int>, milliseconds: ClosedRange<Int>, _ cluster: ThrowawayCluster) async throws
    {
        for master in try await cluster.masters() {
            let slots = try await cluster.slots(of: master)
            let owned = ids.filter { id in slots.contains { $0.contains(KeySlot.of("timer:\(id)")) } }
            try await master.script(
                owned.map { "SET timer:\($0) 1 PX \(milliseconds.lowerBound + $0 * 37 % milliseconds.count)" })
        }
    }

    @Test func eachMasterIsNudged() async throws {
        try await withCluster(replicas: 0) { cluster, configuration in
            let handler = RunningHandler()
            try await handler.run(configuration) {
                try await Self.arm(0..<600, milliseconds: 100...1_500, cluster)
                try await handler.waitFor((0..<600).map { "timer:\($0)" })
            }
            #expect(handler.keys.count == 600)
        }
    }

    @Test("row 93: what a master kept is the new master's after CLUSTER FAILOVER, and after a kill")
    func failover() async throws {
        try await withCluster(replicas: 1) { cluster, configuration in
            let handler = RunningHandler()
            try await handler.run(configuration) {
                let old = try await cluster.masters()[0]
                let new = try #require(try await cluster.replicas(of: old).first)
                try await Self.arm(0..<900, milliseconds: 1_000...6_000, cluster)
                try await cluster.failover(new)
                try await handler.waitFor((0..<900).map { "timer:\($0)" })
                try await Self.arm(1_000..<1_900, milliseconds: 1_000...9_000, cluster)
                await cluster.kill(try await cluster.masters()[1])
                let known = handler.keys.count
                // Those that the replica had not received are gone with their master.
                try await waitUntil("the others are announced", within: .seconds(40)) {
                    handler.keys.count >= known + 890 ? nil : "\(handler.keys.count - known)"
                }
            }
            #expect(Set(handler.keys).count == handler.keys.count, "nothing comes twice")
        }
    }

    @Test("row 93: slots change hands while their keys come due")
    func resharding() async throws {
        try await withCluster(replicas: 0) { cluster, configuration in
            let (handler, masters) = (RunningHandler(), try await cluster.masters())
            let ids = [0..<900, 1_000..<1_900]
            try await handler.run(configuration) {
                try await Self.arm(ids[0], milliseconds: 500...6_000, cluster)
                try await cluster.moveSlots(count: 1_500, from: masters[0], to: masters[1])
                try await Self.arm(ids[1], milliseconds: 200...3_000, cluster)
                try await waitUntil("no key is left", within: .seconds(40)) {
                    let missing = Set(ids.joined().map { "timer:\($0)" }).subtracting(handler.keys)
                    guard missing.count < 20 else { return "\(missing.count) are missing" }
                    // RESTORE drops a key whose last millisecond has begun: Redis counts no expiration then, and
                    // announces none.
                    for (key, master) in missing.flatMap({ key in masters.map { (key, $0) } }) {
                        let left = try await master.cli("CLUSTER", "COUNTKEYSINSLOT", "\(KeySlot.of(key))")
                        guard left == "0" else { return "\(key) is at \(master.address)" }
                    }
                    return nil
                }
            }
            var counted = 0
            for master in masters {
                let stats = try await master.cli("INFO", "stats").split(separator: "\r\n")
                counted += stats.first { $0.hasPrefix("expired_keys:") }.flatMap { Int($0.dropFirst(13)) } ?? 0
            }
            #expect(handler.keys.count == counted && counted > 1_780, "\(handler.keys.count) of \(counted)")
            #expect(Set(handler.keys).count == handler.keys.count, "nothing comes twice")
            #expect(handler.log.lines("gap").isEmpty)
        }
    }

    @Test("row 94: 100 000 equal deadlines, where a subscriber may be 256 KiB behind: no feed is cut")
    func equalDeadlines() async throws {
        try await withCluster(replicas: 0, extra: ["client-output-buffer-limit pubsub 256kb 256kb 0"]) {
            cluster, configuration in
            let (handler, masters) = (RunningHandler(), try await cluster.masters())
            let count = 34_000
            try await handler.run(configuration, inBatches: true) {
                let deadline = WallClock.milliseconds() + 6_000
                for master in masters {
                    let slot = try #require(try await cluster.slots(of: master).first?.lowerBound)
                    let tag = try #require((0..<200_000).first { KeySlot.of("\($0)") == slot })
                    // A thousand at a time: a script's hints come in one piece.
                    try await master.script(
                        stride(from: 0, to: count, by: 1_000).map { start in
                            "EVAL \"for i = \(start + 1), \(start + 1_000) do "
                                + "redis.call('SET', 'timer:{\(tag)}' .. i, '', 'PXAT', '\(deadline)') end\" 0"
                        })
                }
                try await waitUntil("all are handled", within: .seconds(60)) {
                    handler.handled.count >= 3 * count ? nil : "\(handler.handled.count)"
                }
            }
            #expect(handler.handled.count == 3 * count)
            #expect(handler.log.lines("subscription lost").filter { !$0.contains("shutting down") }.isEmpty)
            #expect(handler.log.lines("gap").isEmpty)
        }
    }
}
