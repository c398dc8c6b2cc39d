import Chaos
import Foundation
import Glibc
import Testing
import ThrowawayRedis

/// The end of a term whose registers do not answer at once.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct LastProgressTests {
    @Test("row 115: Redis is frozen for longer than one write may take while a leader hands over: nothing twice")
    func frozenAtTheEnd() async throws {
        let server = try await ThrowawayServer.start()
        let group = try await ReplicaGroup.start(
            1, binary: Binary.lapse, redis: server.url, name: "ends", leaseTTL: .seconds(6), nodes: 1)
        let replica = try await group.leader()
        for round in 0..<3 {
            let keys = (0..<40).map { "k:\(round):\($0)" }
            try await server.script(keys.map { "SET \($0) v PX 20" })
            try await waitUntil("they are handled", within: .seconds(20)) {
                Set(keys).isSubset(of: group.handledKeys) ? nil : "not yet"
            }
            // Most of them were finished after the last progress was written.
            server.freeze()
            replica.signal(SIGTERM)
            try await Task.sleep(for: .milliseconds(900))
            server.resume()
            #expect(await replica.waitForExit(within: .seconds(20)))
            #expect(replica.exitCode == 0)
            try await group.startAgain(replica)
            try await server.script(["SET after:\(round) v PX 20"])
            try await waitUntil("it leads again", within: .seconds(20)) {
                group.handledKeys.contains("after:\(round)") ? nil : "not yet"
            }
        }
        #expect(group.handled.count == 123, "\(group.handled.count - group.handledKeys.count) were handled twice")
        #expect(replica.count(of: "last progress not written") == 0)
        await group.shutDown()
        await server.shutDown()
    }
}
