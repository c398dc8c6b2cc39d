import Foundation
import Glibc
import ThrowawayRedis

/// The demonstration, scene by scene.
package struct Demo: Sendable {
    private static let leaseTTL = "2s"
    private static let rate = 100.0
    private static let duration = Duration.seconds(15)
    private static let untilKill = Duration.seconds(6)
    private let stage = DemoStage()

    package init() {}

    /// Returns the account; everything that was started is gone by then.
    @concurrent
    package func run() async throws -> DemoAccount {
        stage.say("a Redis Cluster of six nodes starts, on free ports of this machine")
        let cluster = try await ThrowawayCluster.start()
        var replicas: [DemoReplica] = []
        do {
            replicas = try await DemoReplica.start(
                ["a", "b", "c"], redis: cluster.urls, leaseTTL: Self.leaseTTL, stage: stage)
            let account = try await play(cluster, replicas)
            await Self.end(cluster, replicas)
            return account
        } catch {
            await Self.end(cluster, replicas)
            throw error
        }
    }

    private static func end(_ cluster: ThrowawayCluster, _ replicas: [DemoReplica]) async {
        for replica in replicas { replica.kill() }
        await cluster.shutDown()
    }

    private func play(_ cluster: ThrowawayCluster, _ replicas: [DemoReplica]) async throws -> DemoAccount {
        let witness = try await ExpirationWitness.watching(cluster.nodes)
        stage.say("three replicas of lapse start: a, b, c")
        stage.say(
            "a server gives no vote while it is younger than the lease (\(Self.leaseTTL)): "
                + "an empty restart must not elect a second leader")
        let nodes = cluster.nodes.count
        try await waitUntil("a replica leads and all hear every node", within: .seconds(20)) {
            let heard = replicas.map { stage.heard($0.id) }
            return stage.leader != nil && heard.allSatisfy { $0.count >= nodes } ? nil : "they do not yet"
        }

        let span = Self.duration.components.seconds
        stage.say("keys are set, \(Int(Self.rate)) a second for \(span) s, each with 1 to 3 s to live")
        let keys = ArmedKeys(cluster: cluster, prefix: "session:")
        async let arming = keys.run(rate: Self.rate, ttl: .seconds(1)...(.seconds(3)), duration: Self.duration)
        // A task, since it ends before the account is told, where it is awaited. Where this throws, it is
        // cancelled.
        let ticker = Task { await tick() }
        defer { ticker.cancel() }
        try await Task.sleep(for: Self.untilKill)
        if let leader = stage.leader, let victim = replicas.first(where: { $0.id == leader }) {
            stage.tell()
            stage.leaderKilled(leader)
            victim.kill()
        }
        let armed = try await arming

        stage.say("all keys are set; the last ones expire")
        try? await witness.waitUntilSeen(armed.acknowledged.keys, within: .seconds(8))
        let announced = witness.counts.filter { $0.key.hasPrefix("session:") }
        try? await waitUntil("all are handled", within: .seconds(6)) {
            stage.hasHandled(announced.keys) ? nil : "some are not"
        }
        try Task.checkCancellation()
        try? await witness.stop()
        let account = stage.account(armed: armed.acknowledged.count, announced: announced)
        ticker.cancel()
        await ticker.value
        stage.print(account.lines)
        return account
    }

    /// Twice a second a line about what was handled.
    private func tick() async {
        while (try? await Task.sleep(for: .milliseconds(500))) != nil { stage.tell() }
    }
}
