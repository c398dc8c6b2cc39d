import Foundation
import Lapse
import LapseDoctor
import RedisClient
import Testing
import ThrowawayRedis

/// A master that died and was replaced stays in CLUSTER NODES for ever.
@Suite(.timeLimit(.minutes(2)), .serialized) struct LeftBehindNodeTests {
    @Test func aDeadFormerMasterIsNoReasonToBeUnready() async throws {
        let cluster = try await ThrowawayCluster.start()
        let dead = try #require(try await cluster.masters().first)
        let id = try await dead.cli("CLUSTER", "MYID").trimmingCharacters(in: .whitespacesAndNewlines)
        await cluster.kill(dead)
        let witness = try #require(cluster.liveNodes.first)
        try await waitUntil("another has its slots", within: .seconds(30)) {
            let nodes = try await witness.cli("CLUSTER", "NODES")
            let line = nodes.split(separator: "\n").first { $0.hasPrefix(id) } ?? ""
            return line.contains("master,fail ") && line.split(separator: " ").count == 8 ? nil : nodes
        }
        var configuration = ProcessorConfiguration(redis: [witness.url])
        configuration.leaseTTL = .seconds(1)
        let processor = ExpirationProcessor(configuration: configuration) { _, _ in }
        let running = Task { try await processor.run() }
        try await waitUntil("it is ready", within: .seconds(20)) {
            let reasons = processor.readiness()
            return reasons.isEmpty ? nil : "\(reasons)"
        }
        processor.stop()
        try await running.value

        let doctor = try Doctor(configuration)
        let report = try await doctor.examine()
        let finding = try #require(report.findings.first { $0.node?.port == dead.port })
        #expect(finding.severity == .notes)
        let fix = try #require(finding.fix)
        let command = try #require(fix.firstRange(of: "redis-cli"))
        let words = fix[command.lowerBound...].split(separator: " ").map(String.init)
        let forgetting = Process()
        forgetting.executableURL = URL(filePath: "/usr/bin/env")
        forgetting.arguments = words
        forgetting.standardOutput = FileHandle.nullDevice
        forgetting.standardError = FileHandle.nullDevice
        try forgetting.run()
        forgetting.waitUntilExit()
        try await waitUntil("it is forgotten", within: .seconds(10)) {
            let nodes = try await witness.cli("CLUSTER", "NODES")
            return nodes.contains(id) ? nodes : nil
        }
        await doctor.shutDown()
        await cluster.shutDown()
    }
}
