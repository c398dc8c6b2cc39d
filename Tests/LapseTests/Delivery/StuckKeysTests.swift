import Synchronization
import Testing
import ThrowawayRedis

@testable import Lapse

/// Row 54: keys that are slow, fail, or are stuck hold up no other key.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct StuckKeysTests {
    private struct Failure: Error {}

    private func configuration(_ url: String) -> ProcessorConfiguration {
        var configuration = ProcessorConfiguration(redis: [url], name: "stuck", match: ["k:*"])
        configuration.leaseTTL = .seconds(2)
        configuration.drain = .milliseconds(100)
        return configuration
    }

    private let others = (0..<100).map { "k:other:\($0)" }

    @Test("a key that expires faster than it is handled, more often than may be ready, and 100 others")
    func aHotKey() async throws {
        let server = try await ThrowawayServer.start()
        let handler = RunningHandler()
        let times = 1500
        try await handler.run(configuration(server.url)) { expiration in
            if "\(expiration.key)" == "k:hot" { try await Task.sleep(for: .seconds(60)) }
        } _: {
            // One key can expire so often only in so much time: what the log gets is the same.
            try await server.script(
                Array(repeating: "PUBLISH __keyevent@0__:expired k:hot", count: times)
                    + others.map { "SET \($0) 1 PX 20" })
            try await handler.waitFor(others)
            #expect(handler.keys.count { $0 == "k:hot" } == 1, "its first handler still runs")
            try await waitUntil("what its key has no room for is counted", within: .seconds(20)) {
                let account = handler.status?.nodes.first?.account ?? NodeAccount()
                let expected = UInt64(times - 1 - WaitingRoom.Bounds().perKey)
                return account.lost == expected && account.waiting == 0 && account.imbalance == 0 ? nil : "\(account)"
            }
            #expect(handler.status?.nodes.first?.lost == UInt64(times - 1 - WaitingRoom.Bounds().perKey))
        }
        #expect(!handler.log.lines("expirations given up").isEmpty)
        await server.shutDown()
    }

    @Test("1 200 keys that always fail, and 100 others")
    func failingKeys() async throws {
        let server = try await ThrowawayServer.start()
        let handler = RunningHandler()
        var configuration = configuration(server.url)
        configuration.retries = 1_000_000
        try await handler.run(configuration) { expiration in
            if "\(expiration.key)".hasPrefix("k:bad") { throw Failure() }
        } _: {
            let bad = (0..<1200).map { "k:bad:\($0)" }
            try await server.script(bad.map { "SET \($0) 1 PX 20" })
            try await handler.waitFor(bad)
            try await server.script(others.map { "SET \($0) 1 PX 20" })
            try await handler.waitFor(others)
            let account = try #require(handler.status?.nodes.first?.account)
            #expect(account.handled == 100 && account.pending == 1200 && account.lost == 0, "\(account)")
        }
        await server.shutDown()
    }
}

extension StuckKeysTests {
    @Test("1 200 keys whose companions answer TRYAGAIN, and 100 others")
    func stuckCompanions() async throws {
        let cluster = try await ThrowawayCluster.start()
        var configuration = configuration(cluster.urls)
        configuration.redis = cluster.urls.split(separator: ",").map(String.init)
        configuration.companions = ["k:* => data:*"]
        let handler = RunningHandler()
        do {
            try await handler.run(configuration) {
                // A slot on its way: it has the companions, but not the timers, which have expired.
                let slot = KeySlot.of("{stuck}")
                let source = try await cluster.node(owningSlot: slot)
                let target = try #require(try await cluster.masters().first { $0 !== source })
                let ids = [try await source.cli("CLUSTER", "MYID"), try await target.cli("CLUSTER", "MYID")]
                try await source.script((0..<1200).map { "SET data:{stuck}\($0) value PX 600000" })
                try await source.script((0..<1200).map { "SET k:{stuck}\($0) 1 PX 700" })
                try await target.cli("CLUSTER", "SETSLOT", "\(slot)", "IMPORTING", ids[0])
                try await source.cli("CLUSTER", "SETSLOT", "\(slot)", "MIGRATING", ids[1])
                try await waitUntil("all are known to be stuck", within: .seconds(40)) {
                    let pending = handler.status?.nodes.reduce(0) { $0 + ($1.account?.pending ?? 0) } ?? 0
                    return pending == 1200 ? nil : "\(pending) are"
                }
                let others = (0..<100).map { "k:{other}\($0)" }
                let node = try await cluster.node(owningSlot: KeySlot.of("{other}"))
                try await node.script(others.map { "SET \($0) 1 PX 20" })
                try await handler.waitFor(others)
                #expect(handler.handled.count == 100, "none of the others")
                // When the slot has settled, so do they.
                try await source.cli("CLUSTER", "SETSLOT", "\(slot)", "STABLE")
                try await target.cli("CLUSTER", "SETSLOT", "\(slot)", "STABLE")
                try await handler.waitFor((0..<1200).map { "k:{stuck}\($0)" })
                #expect(handler.handled.count == 1300, "each once")
                #expect(handler.handled.count { $0.text == "value" } == 1200)
            }
        } catch {
            await cluster.shutDown()
            throw error
        }
        await cluster.shutDown()
    }
}
