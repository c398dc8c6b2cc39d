import ExpirationStream
import RESP
import Testing
import ThrowawayRedis

@testable import Lapse

/// How many partitions a stream has, as it stands beside the stream.
@Suite(.timeLimit(.minutes(2))) struct StreamLayoutTests {
    @Test("a layout that is lost is written again and told: a worker that starts then reads every partition")
    func lost() async throws {
        let server = try await ThrowawayServer.start()
        let stream = try RunningStream(server.url, partitions: 2)
        let keys = stream.destination.keys
        let handled = HandledKeys()
        let worker = ExpirationWorker(configuration: .init(stream: keys.key, group: "g", redis: [server.url])) {
            expiration, _ in handled.add(expiration.key)
        }
        try await stream.run {
            try await server.script((0..<20).map { "SET k:\($0) 1 PX 20" })
            try await RunningStream.waitForEntries(20, server, keys.partitions)
            #expect(try await server.cli("DEL", keys.layout) == "1")
            try await waitUntil("it is written again", within: .seconds(30)) {
                let count = try await server.cli("HGET", keys.layout, "partitions")
                return count == "2" ? nil : count
            }
            try await withThrowingTaskGroup { group in
                // Until it is told to stop.
                group.addTask { try await worker.run() }
                try await server.script((20..<40).map { "SET k:\($0) 1 PX 20" })
                try await waitUntil("all are handled", within: .seconds(30)) {
                    handled.all.count == 40 ? nil : "\(handled.all.count)"
                }
                worker.stop()
                try await group.waitForAll()
            }
        }
        #expect(stream.log.lines("the stream's number of partitions was lost").count == 1)
        await server.shutDown()
    }

    /// A group reads all of a partition, and acknowledges it.
    private func acknowledge(_ partition: String, _ server: ThrowawayServer) async throws {
        try await server.cli("XGROUP", "CREATE", partition, "g", "0", "MKSTREAM")
        try await server.cli("XREADGROUP", "GROUP", "g", "c", "NOACK", "STREAMS", partition, ">")
    }

    @Test("a replica with another number changes nothing while it follows, and takes over when all is acknowledged")
    func takenOver() async throws {
        let server = try await ThrowawayServer.start()
        let first = try RunningStream(server.url, partitions: 4)
        let second = try RunningStream(server.url, partitions: 6)
        let (old, new) = (first.destination.keys, second.destination.keys)
        try await withThrowingTaskGroup { group in
            // Both until they are told to stop.
            group.addTask { try await first.processor.run() }
            try await waitUntil("the first one leads", within: .seconds(30)) {
                let count = try await server.cli("HGET", old.layout, "partitions")
                return count == "4" ? nil : count
            }
            group.addTask { try await second.processor.run() }
            try await waitUntil("the second one follows", within: .seconds(30)) {
                let reasons = second.processor.readiness()
                let leader = second.processor.status?.leader
                return reasons.isEmpty && leader == first.processor.configuration.id ? nil : "\(reasons)"
            }
            try await server.script((0..<20).map { "SET k:\($0) 1 PX 20" })
            try await RunningStream.waitForEntries(20, server, old.partitions)
            #expect(try await server.cli("HGET", old.layout, "partitions") == "4")

            first.processor.stop()
            try await waitUntil("the second one leads", within: .seconds(30)) {
                second.processor.status?.isLeader == true ? nil : "not yet"
            }
            try await server.script((20..<40).map { "SET k:\($0) 1 PX 20" })
            try await waitUntil("it says why nothing is appended", within: .seconds(30)) {
                second.log.lines("partitions of the stream not known").isEmpty ? "nothing" : nil
            }
            #expect(try await server.cli("HGET", old.layout, "partitions") == "4")
            for partition in old.partitions { try await acknowledge(partition, server) }
            try await RunningStream.waitForEntries(20, server, new.partitions)
            #expect(try await server.cli("HGET", old.layout, "partitions") == "6")
            second.processor.stop()
            try await group.waitForAll()
        }
        let told = second.log.lines("partitions of the stream not known")
        #expect(told.first?.contains("has 4 and 20 entries") == true, "\(told)")
        #expect(second.log.lines("partitions changed").count == 1 && first.log.lines("partitions changed").isEmpty)
        await server.shutDown()
    }

    @Test("what was acknowledged after the last trim keeps no replica with another number from its start")
    func acknowledged() async throws {
        let server = try await ThrowawayServer.start()
        let first = try RunningStream(server.url)
        try await first.run {
            try await server.script((0..<3).map { "SET k:\($0) 1 PX 20" })
            try await RunningStream.waitForEntries(3, server)
        }
        try await acknowledge("out", server)
        #expect(try await server.cli("XLEN", "out") == "3")
        let second = try RunningStream(server.url, partitions: 2)
        try await second.run {
            try await server.script((3..<6).map { "SET k:\($0) 1 PX 20" })
            try await RunningStream.waitForEntries(3, server, second.destination.keys.partitions)
        }
        #expect(try await server.cli("HGET", second.destination.keys.layout, "partitions") == "2")
        #expect(try await server.cli("XLEN", "out") == "0")
        await server.shutDown()
    }

    @Test("a stream has one group of replicas: another one is refused, and the first goes on")
    func anotherGroup() async throws {
        let server = try await ThrowawayServer.start()
        let first = try RunningStream(server.url, name: "a")
        let second = try RunningStream(server.url, name: "b")
        try await first.run {
            try await server.script((0..<3).map { "SET k:\($0) 1 PX 20" })
            try await RunningStream.waitForEntries(3, server)
            let error = await #expect(throws: LapseError.self) { try await second.run {} }
            #expect(error?.code == .configuration && error?.property == "stream")
            #expect(error?.description.contains("the group a ") == true, "\(String(describing: error))")
            try await server.script((3..<6).map { "SET k:\($0) 1 PX 20" })
            try await RunningStream.waitForEntries(6, server)
        }
        #expect(try await server.cli("HGET", first.destination.keys.layout, "name") == "a")
        await server.shutDown()
    }

    @Test("a leader whose stream another group took after it had started is not ready, and says why")
    func anotherGroupMeanwhile() async throws {
        let server = try await ThrowawayServer.start()
        let stream = try RunningStream(server.url, name: "b")
        let layout = stream.destination.keys.layout
        @Sendable func waitForReasons(_ what: String, _ isThere: @escaping @Sendable (String) -> Bool) async throws {
            try await waitUntil(what, within: .seconds(30)) {
                let reasons = stream.processor.readiness().joined(separator: "\n")
                return isThere(reasons) ? nil : reasons
            }
        }
        try await stream.run {
            try await waitUntil("it has written the layout", within: .seconds(30)) {
                try await server.cli("HGET", layout, "name") == "b" ? nil : "not yet"
            }
            try await waitForReasons("it is ready") { $0.isEmpty }
            _ = try await server.cli("HSET", layout, "name", "a")
            // Though nothing expires.
            try await waitForReasons("it is not ready") { $0.contains("the group a appends to out") }
            #expect(!stream.log.lines("partitions of the stream not known").isEmpty)
            _ = try await server.cli("DEL", layout)
            try await waitForReasons("it is ready again") { $0.isEmpty }
        }
        await server.shutDown()
    }

    @Test("lengths that cannot be true are no sum: two of them would end the process")
    func lengths() {
        #expect(WrittenLayout.total([.integer(.max), .integer(.max)]) == nil)
        #expect(WrittenLayout.total([.integer(3), .null]) == nil && WrittenLayout.total([.integer(-1)]) == nil)
        #expect(WrittenLayout.total([]) == 0 && WrittenLayout.total([.integer(3), .integer(4)]) == 7)
        let most = Array(repeating: RESPValue.integer(Int64(PlausibleCount.limit) - 1), count: StreamKeys.limit)
        #expect(WrittenLayout.total(most) != nil)
    }
}
