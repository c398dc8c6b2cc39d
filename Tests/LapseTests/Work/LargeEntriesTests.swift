import Lapse
import Testing
import ThrowawayRedis

/// Entries whose answers are larger than what a connection takes in.
@Suite(.timeLimit(.minutes(2)), .serialized) struct LargeEntriesTests {
    private let handled = HandledKeys()
    private let log = CapturedLog()

    /// Adds expirations of the keys `k:<number>`, each with a value of so many bytes.
    private func add(_ server: ThrowawayServer, _ numbers: ClosedRange<Int>, bytes: Int) async throws {
        let script = """
            local value = string.rep('x', tonumber(ARGV[3]))
            for i = tonumber(ARGV[1]), tonumber(ARGV[2]) do
              redis.call('XADD', KEYS[1], '*', 'id', 'run-' .. i, 'key', 'k:' .. i, 'database', '0', 'node', 'n:1', 'runId', 'run',
                'ordinal', i, 'origin', 'live', 'value', value, 'term', '1', 'token', '5')
            end
            """
        try await server.cli(
            "EVAL", script, "1", "exp", "\(numbers.lowerBound)", "\(numbers.upperBound)", "\(bytes)")
    }

    /// Until so many are handled and none is pending.
    private func work(_ server: ThrowawayServer, claimAfter: Duration, until count: Int) async throws {
        var configuration = WorkerConfiguration(stream: "exp", group: "g", redis: [server.url])
        configuration.claimAfter = claimAfter
        let worker = ExpirationWorker(configuration: configuration, logger: log.logger) { [handled] expiration, _ in
            handled.add(expiration.key)
        }
        try await withThrowingTaskGroup { group in
            // Until it is told to stop.
            group.addTask { try await worker.run() }
            try await waitUntil("all are handled", within: .seconds(60)) {
                let pending = try await server.cli("XPENDING", "exp", "g").prefix { !$0.isNewline }
                return handled.all.count == count && pending == "0"
                    ? nil : "\(handled.all.count) handled, \(pending) pending: \(log.lines)"
            }
            worker.stop()
            try await group.waitForAll()
        }
    }

    @Test("what a dead worker had is claimed in parts")
    func claimed() async throws {
        let server = try await ThrowawayServer.start()
        try await add(server, 1...80, bytes: 1 << 20)
        try await server.cli("XGROUP", "CREATE", "exp", "g", "0")
        let read = "return #redis.call('XREADGROUP', 'GROUP', 'g', 'dead', 'COUNT', 80, 'STREAMS', KEYS[1], '>')[1][2]"
        #expect(try await server.cli("EVAL", read, "1", "exp") == "80")
        try await work(server, claimAfter: .milliseconds(300), until: 80)
        await server.shutDown()
    }

    @Test(
        "what a read could not bring is claimed by its own worker, at once; what no answer can bring becomes a letter")
    func read() async throws {
        let server = try await ThrowawayServer.start()
        try await add(server, 1...80, bytes: 1 << 20)
        try await add(server, 81...81, bytes: 65 << 20)
        try await add(server, 82...82, bytes: 100)
        try await work(server, claimAfter: .seconds(3600), until: 81)
        #expect(!handled.all.contains("k:81"))
        let letters = log.lines("dead-lettered")
        #expect(letters.count == 1 && letters[0].contains("it is too large to be taken in"), "\(letters)")
        await server.shutDown()
    }
}
