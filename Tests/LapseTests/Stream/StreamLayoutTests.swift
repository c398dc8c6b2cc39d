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

    @Test("lengths that cannot be true are no sum: two of them would end the process")
    func lengths() {
        #expect(StreamWriter.total([.integer(.max), .integer(.max)]) == nil)
        #expect(StreamWriter.total([.integer(3), .null]) == nil && StreamWriter.total([.integer(-1)]) == nil)
        #expect(StreamWriter.total([]) == 0 && StreamWriter.total([.integer(3), .integer(4)]) == 7)
        let most = Array(repeating: RESPValue.integer(Int64(PlausibleCount.limit) - 1), count: StreamKeys.limit)
        #expect(StreamWriter.total(most) != nil)
    }
}
