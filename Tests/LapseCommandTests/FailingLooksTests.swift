import Foundation
import Testing
import ThrowawayRedis

/// Looks at the topology fail while `lapse elect` and `lapse work` go on: they say so as `lapse run`
/// does.
@Suite(.timeLimit(.minutes(2)), .serialized) struct FailingLooksTests {
    @Test("no Sentinel answers any more: both say so once, with the address, and say when it is over")
    func noSentinel() async throws {
        let servers = try await ThrowawaySentinel.start()
        let redis = servers.sentinels.map { "redis+sentinel://\($0.address)/mymaster" }.joined(separator: ",")
        let master = try await servers.master()
        try await master.cli("XGROUP", "CREATE", "exp", "g", "0", "MKSTREAM")
        let elect = try LapseBinary.start([
            "elect", "--redis", redis, "--name", "cron", "--lease-ttl", "5s", "--supervise", "off", "--", "sh", "-c",
            "echo begun; while :; do sleep 0.1; done",
        ])
        let work = try LapseBinary.start([
            "work", "--redis", redis, "--stream", "exp", "--group", "g", "--handler", "ndjson", "--supervise", "off",
            "--admin", "127.0.0.1:0",
        ])
        let children = [elect, work]
        try await waitUntil("both are at work", within: .seconds(30)) {
            elect.lines == ["begun"] && work.text.errors.contains(" working ") ? nil : "\(children.map(\.text))"
        }
        for sentinel in servers.sentinels { await sentinel.kill() }
        for child in children {
            try await waitUntil("it says so", within: .seconds(40)) {
                child.text.errors.contains("topology cannot be looked at") ? nil : child.text.errors
            }
            let line = try #require(child.text.errors.split(separator: "\n").last { $0.contains("looked at") })
            #expect(servers.sentinels.contains { line.contains($0.address) }, "\(line)")
        }
        let address = try #require(work.text.errors.firstMatch(of: /address=(127[.0-9:]+)/)).1
        let health = try await LapseBinary.run(["health", "--ready", "--admin", String(address)])
        #expect(health.code != 0 && "\(health)".contains("the topology cannot be looked at: "), "\(health)")

        try await servers.sentinels[0].start()
        for child in children {
            try await waitUntil("it is over", within: .seconds(30)) {
                child.text.errors.contains("topology is looked at again") ? nil : child.text.errors
            }
            #expect(child.text.errors.matches("topology cannot be looked at") == 1, "\(child.text.errors)")
        }
        #expect(elect.isRunning && elect.lines == ["begun"], "the lease outlives it: \(elect.text)")
        for child in children { child.signal(SIGTERM) }
        for child in children { _ = try await child.end() }
        await servers.shutDown()
    }
}
