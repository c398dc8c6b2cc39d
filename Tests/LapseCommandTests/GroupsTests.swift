import Foundation
import LeaderElectionRedis
import Testing
import ThrowawayRedis

/// `lapse groups` where there are many, and their registers do not answer.
@Suite(.timeLimit(.minutes(2)), .serialized) struct GroupsTests {
    private struct Group: Decodable {
        var name: String
        var isPaused: Bool?
    }

    @Test func manySilentRegistersAreNotAwaitedOneByOne() async throws {
        let server = try await ThrowawayServer.start()
        // What a replica of each would do, by one connection.
        let subscriber = Process()
        subscriber.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        subscriber.arguments =
            ["redis-cli", "-p", "\(server.port)", "SUBSCRIBE"] + (0..<1010).map { ElectionKeys.channel("g\($0)") }
        subscriber.standardOutput = FileHandle.nullDevice
        try subscriber.run()
        defer { subscriber.terminate() }
        try await waitUntil("all are subscribed to", within: .seconds(20)) {
            let channels = try await server.cli("PUBSUB", "CHANNELS", "*")
            return channels.contains(ElectionKeys.channel("g1009")) ? nil : channels
        }
        // Scripts wait, and the list of channels is told.
        _ = try await server.cli("CLIENT", "PAUSE", "100000", "WRITE")
        // One after the other they would take half an hour.
        let run = try await LapseBinary.start(["groups", "--json", "--redis", server.url]).end(within: .seconds(30))
        #expect(run.code == 0, "\(run.errors)")
        let groups = try JSONDecoder().decode([Group].self, from: Data(run.output.utf8))
        #expect(groups.count == 1000 && groups.map(\.name) == groups.map(\.name).sorted())
        #expect(groups.allSatisfy { $0.isPaused == nil })
        #expect(run.errors.contains("waiting for 1 nodes to answer"), "\(run.errors)")
        #expect(run.errors.contains("only the first 1000"), "\(run.errors)")
        await server.shutDown()
    }
}
