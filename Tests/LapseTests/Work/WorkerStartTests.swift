import ExpirationStream
import Lapse
import RESP
import Testing
import ThrowawayRedis

/// A worker starts with the partitions that can be asked.
@Suite(.timeLimit(.minutes(2)), .serialized) struct WorkerStartTests {
    private let handled = HandledKeys()
    private let log = CapturedLog()

    /// Adds an expiration of the key `k:<number>`.
    private func add(_ server: ThrowawayServer, _ stream: String, _ number: Int) async throws {
        _ = try await server.cli(
            "-c", "XADD", stream, "*", "id", "run-\(number)", "key", "k:\(number)", "database", "0", "node", "n:1",
            "runId", "run", "ordinal", "\(number + 1)", "origin", "live", "term", "1", "token", "5")
    }

    private func laidOut(_ server: ThrowawayServer, _ partitions: Int) async throws -> StreamKeys {
        let keys = try StreamKeys("exp", partitions: partitions)
        _ = try await server.cli("-c", "HSET", keys.layout, "format", "1", "partitions", "\(partitions)")
        for (number, partition) in keys.partitions.enumerated() { try await add(server, partition, number) }
        return keys
    }

    private func work(_ server: ThrowawayServer, _ body: (ExpirationWorker) async throws -> Void) async throws {
        let configuration = WorkerConfiguration(stream: "exp", group: "g", redis: [server.url])
        let worker = ExpirationWorker(configuration: configuration, logger: log.logger) { [handled] expiration, _ in
            handled.add(expiration.key)
        }
        try await withThrowingTaskGroup { group in
            // Until it is told to stop.
            group.addTask { try await worker.run() }
            try await body(worker)
            worker.stop()
            try await group.waitForAll()
        }
    }

    private func waitForKeys(_ numbers: Int...) async throws {
        try await waitUntil("\(numbers) are handled", within: .seconds(40)) {
            let missing = numbers.filter { !handled.all.contains("k:\($0)") }
            return missing.isEmpty ? nil : "\(missing) \(log.lines)"
        }
    }

    @Test("a partition whose master is silent is told, and the entries of the others are handled")
    func silentPartition() async throws {
        var options = ClusterOptions()
        options.replicasPerMaster = 0
        options.server.extra = ["cluster-require-full-coverage no"]
        let cluster = try await ThrowawayCluster.start(options)
        let keys = try await laidOut(cluster.nodes[0], 3)
        let first = try await cluster.node(owningSlot: Int(HashSlot.of(keys.layout)))
        var silent: (number: Int, node: ThrowawayServer)?
        for (number, partition) in keys.partitions.enumerated() {
            let node = try await cluster.node(owningSlot: Int(HashSlot.of(partition)))
            if node !== first { silent = (number, node) }
        }
        let (number, node) = try #require(silent)
        cluster.freeze(node)
        try await work(first) { worker in
            try await waitForKeys((number + 1) % 3, (number + 2) % 3)
            let reasons = worker.readiness()
            #expect(reasons.contains { $0.hasPrefix("\(keys.partitions[number]): read: ") }, "\(reasons)")
            cluster.resume(node)
            try await waitForKeys(0, 1, 2)
        }
        await cluster.shutDown()
    }

    @Test("each partition that is a key of another type is named, and the entries of the others are handled")
    func otherType() async throws {
        let server = try await ThrowawayServer.start()
        let keys = try await laidOut(server, 3)
        for partition in keys.partitions[..<2] { try await server.cli("SET", partition, "no stream") }
        try await work(server) { worker in
            try await waitForKeys(2)
            for partition in keys.partitions[..<2] {
                let lines = log.lines("the stream cannot be worked on").filter { $0.contains("stream=\(partition)") }
                #expect(lines.count == 1 && lines[0].contains("fix=delete \(partition)"), "\(log.lines)")
                let reasons = worker.readiness()
                #expect(reasons.contains { $0.hasPrefix("\(partition): read: ") && $0.contains("WRONGTYPE") })
                try await server.cli("DEL", partition)
            }
            for number in 0..<2 { try await add(server, keys.partitions[number], number) }
            try await waitForKeys(0, 1)
        }
        await server.shutDown()
    }
}
