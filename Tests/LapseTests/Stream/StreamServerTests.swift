import ExpirationStream
import LapseDoctor
import RedisClient
import Testing
import ThrowawayRedis

@testable import Lapse

/// Rows 95 and 96 on one server: what is appended, and what waits.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct StreamServerTests {
    private func withServer(
        _ options: ServerOptions = ServerOptions(), _ body: @Sendable (ThrowawayServer) async throws -> Void
    ) async throws {
        let server = try await ThrowawayServer.start(options)
        do { try await body(server) } catch {
            await server.shutDown()
            throw error
        }
        await server.shutDown()
    }

    private static func expire(_ range: Range<Int>, _ server: ThrowawayServer) async throws {
        try await server.script(range.map { "SET k:\($0) 1 PX 20" })
    }

    @Test("what waits for a stream that cannot be written is told before the logs forget it")
    func waitsForLong() async throws {
        try await withServer { server in
            try await server.cli("SET", "out", "no stream")
            let stream = try RunningStream("redis://\(server.address)") { configuration, _ in
                configuration.logAge = .seconds(4)
            }
            try await stream.run {
                try await Self.expire(0..<3, server)
                try await waitUntil("a warning", within: .seconds(20)) {
                    stream.log.lines("expirations wait for long").isEmpty ? "none" : nil
                }
                #expect(try await server.cli("DEL", "out") == "1")
                try await RunningStream.waitForEntries(3, server)
                try await waitUntil("it is over", within: .seconds(20)) {
                    stream.log.lines("expirations wait no longer").isEmpty ? "not yet" : nil
                }
            }
        }
    }

    @Test("each expiration is an entry, over terms and partitions; a user with the printed rights can do it")
    func appended() async throws {
        var rights = AccessRights(user: nil, name: "streams", mode: .standalone)
        rights.stream = try StreamKeys("out", partitions: 3)
        var options = ServerOptions()
        options.users = ["user " + rights.line.dropFirst("ACL SETUSER ".count)]
        try await withServer(options) { server in
            let url = "redis://lapse:\(AccessRights.passwordPlace)@\(server.address)"
            let streams = try StreamKeys("out", partitions: 3).partitions
            for term in 0..<2 {
                let stream = try RunningStream(url, partitions: 3) { _, destination in destination.limit = 10_000 }
                try await stream.run {
                    try await Self.expire(term * 300..<term * 300 + 300, server)
                    try await RunningStream.waitForEntries(term * 300 + 300, server, streams)
                }
                #expect(stream.log.lines("stream cannot").isEmpty && stream.log.lines("handler failed").isEmpty)
            }
            var all: [String] = []
            for partition in streams {
                let entries = try await RunningStream.entries(server, partition)
                #expect(entries.count > 100)
                all += entries
            }
            #expect(all.count == 600 && Set(all).count == 600)
            #expect(Set(all.map { $0.split(separator: " ")[1] }) == Set((0..<600).map { "k:\($0)" }))
            #expect(try await server.cli("HGET", "{out}:lapse:layout", "partitions") == "3")
            #expect(try await server.cli("ACL", "LOG") == "", "the printed rights are enough")
        }
    }

    @Test(
        "row 96: the key is no stream, then the server is full: all waits in order, nothing is an attempt, each is said"
    )
    func held() async throws {
        var options = ServerOptions()
        options.extra = ["enable-debug-command yes"]
        try await withServer(options) { server in
            let stream = try RunningStream(server.url) { configuration, _ in configuration.retries = 0 }
            try await stream.run {
                try await Self.expire(0..<1, server)
                try await RunningStream.waitForEntries(1, server)
                // One hot key, more often than may wait behind one.
                try await server.cli("RENAME", "out", "kept")
                try await server.cli("SET", "out", "no stream")
                for _ in 0..<11 {
                    try await server.script(
                        (0..<100).flatMap { _ in ["SET k:hot 1 PX 1", "DEBUG SLEEP 0.0025", "GET k:hot"] })
                }
                try await waitUntil("it is said", within: .seconds(20)) {
                    stream.log.lines("stream cannot be appended to").isEmpty ? "nothing" : nil
                }
                try await server.cli("DEL", "out")
                try await server.cli("RENAME", "kept", "out")
                try await RunningStream.waitForEntries(1101, server)
                try await server.script((0..<50).map { "SET k:full:\($0) 1 PX 400" })
                try await server.cli("CONFIG", "SET", "maxmemory", "1")
                try await waitUntil("it is said", within: .seconds(20)) {
                    stream.log.lines("stream cannot be appended to").count < 2 ? "nothing" : nil
                }
                try await server.cli("CONFIG", "SET", "maxmemory", "0")
                try await RunningStream.waitForEntries(1151, server)
            }
            let ordinals = try await RunningStream.entries(server, "out").compactMap {
                Int($0.split(separator: " ")[0].split(separator: "-")[1])
            }
            #expect(ordinals == ordinals.sorted() && Set(ordinals).count == 1151)
            let told = stream.log.lines("stream cannot be appended to")
            #expect(told.count == 2 && told[0].contains("WRONGTYPE") && told[0].contains("fix=name another key"))
            #expect(told.count == 2 && told[1].contains("OOM") && told[1].contains("fix=raise maxmemory"))
            #expect(stream.log.lines("stream is appended to again").count == 2)
            #expect(stream.log.lines("dead-lettered").isEmpty && stream.log.lines("handler failed").isEmpty)
        }
    }

    @Test("where nothing expires the new leader takes away what the groups have acknowledged, all the same")
    func quiet() async throws {
        try await withServer { server in
            try await server.script((1...5).map { "XADD out \($0)-1 key k:\($0)" })
            try await server.cli("XGROUP", "CREATE", "out", "g", "0")
            try await server.cli("XREADGROUP", "GROUP", "g", "c", "STREAMS", "out", ">")
            try await server.cli(["XACK", "out", "g"] + (1...5).map { "\($0)-1" })
            let stream = try RunningStream(server.url)
            try await stream.run {
                try await waitUntil("nothing is left of them", within: .seconds(40)) {
                    let length = try await server.cli("XLEN", "out")
                    return length == "0" ? nil : length
                }
            }
            #expect(stream.log.lines("expiration handled").isEmpty)
        }
    }

    @Test("one partition is held, and the others go on; then it has all, each once")
    func onePartitionHeld() async throws {
        try await withServer { server in
            let streams = try StreamKeys("out", partitions: 2).partitions
            try await server.cli("SET", streams[0], "no stream")
            let stream = try RunningStream(server.url, partitions: 2) { configuration, _ in configuration.retries = 0 }
            let mine = (0..<400).filter {
                KeyDigest(database: 0, key: Array("k:\($0)".utf8)).partition(of: 2) == 0
            }.count
            try await stream.run {
                try await Self.expire(0..<400, server)
                try await RunningStream.waitForEntries(400 - mine, server, [streams[1]])
                #expect(try await server.cli("TYPE", streams[0]) == "string")
                try await server.cli("DEL", streams[0])
                try await RunningStream.waitForEntries(mine, server, [streams[0]])
            }
            for (partition, count) in zip(streams, [mine, 400 - mine]) {
                let entries = try await RunningStream.entries(server, partition)
                #expect(entries.count == count && Set(entries).count == count)
            }
            #expect(stream.log.lines("dead-lettered").isEmpty)
        }
    }

    @Test("--stream-wait: an entry counts as handled when a replica has it, and stands there once")
    func replicated() async throws {
        try await withServer { server in
            // Shorter than the wait for a replica: that is no attempt.
            let stream = try RunningStream(server.url) { configuration, destination in
                (configuration.handlerTimeout, configuration.retries) = (.milliseconds(50), 0)
                destination.replicas = 1
            }
            try await stream.run {
                try await Self.expire(0..<3, server)
                try await waitUntil("it is said", within: .seconds(20)) {
                    stream.log.lines("stream cannot be appended to").isEmpty ? "nothing" : nil
                }
                #expect(stream.processor.status?.nodes.first?.account?.handled == 0)
                try await withServer { replica in
                    try await replica.cli("REPLICAOF", server.host, "\(server.port)")
                    try await waitUntil("all are handled", within: .seconds(40)) {
                        let account = stream.processor.status?.nodes.first { $0.address == server.address }?.account
                        return account?.handled == 3 ? nil : "\(account?.handled ?? 0)"
                    }
                }
            }
            #expect(try await RunningStream.entries(server, "out").count == 3)
            #expect(stream.log.lines("stream cannot be appended to")[0].contains("NOREPLICAS 0 of 1"))
            #expect(stream.log.lines("handler failed").isEmpty && stream.log.lines("dead-lettered").isEmpty)
        }
    }

    @Test("another number of partitions is refused until all is acknowledged")
    func layout() async throws {
        try await withServer { server in
            let first = try RunningStream(server.url)
            try await first.run {
                try await Self.expire(0..<3, server)
                try await RunningStream.waitForEntries(3, server)
            }
            let second = try RunningStream(server.url, partitions: 2)
            let error = await #expect(throws: LapseError.self) { try await second.run {} }
            #expect(error?.code == .configuration && "\(error!)".contains("has 1 and 3 entries"))
            try await server.cli("XTRIM", "out", "MAXLEN", "0")
            let third = try RunningStream(server.url, partitions: 2)
            try await third.run {
                try await Self.expire(3..<6, server)
                try await RunningStream.waitForEntries(3, server, third.destination.keys.partitions)
            }
            #expect(try await server.cli("HGET", "{out}:lapse:layout", "partitions") == "2")
        }
    }

    @Test("a server that comes back without the last entries gets them again, before anything newer")
    func rolledBack() async throws {
        try await withServer { server in
            let stream = try RunningStream(server.url)
            try await stream.run {
                try await Self.expire(0..<50, server)
                try await RunningStream.waitForEntries(50, server)
                // What a replica holds that was promoted without the last twenty: stream, memory and cursor of one
                // moment.
                let keys = try await server.cli("KEYS", "*out*").split(separator: "\n").map(String.init)
                try await server.script(keys.map { "COPY \($0) saved:\($0)" })
                try await Self.expire(50..<70, server)
                try await RunningStream.waitForEntries(70, server)
                try await server.script(
                    ["MULTI"] + keys.map { "COPY saved:\($0) \($0) REPLACE" } + ["EXEC"])
                try await RunningStream.waitForEntries(70, server)
                try await Self.expire(70..<80, server)
                try await RunningStream.waitForEntries(80, server)
                try await server.cli("ACL", "SETUSER", "default", "-xinfo")
                try await waitUntil("it is said that nothing is trimmed", within: .seconds(20)) {
                    stream.log.lines("stream is not trimmed").isEmpty ? "nothing" : nil
                }
            }
            let ordinals = try await RunningStream.entries(server, "out").compactMap {
                Int($0.split(separator: " ")[0].split(separator: "-")[1])
            }
            #expect(ordinals.count == 80 && ordinals == ordinals.sorted() && Set(ordinals).count == 80)
            let begun = stream.log.lines("a promoted server lacks the last entries: they are appended first")
            #expect(begun.count == 1 && begun[0].contains("missing=20"))
            let told = stream.log.lines("a promoted server lacked the last entries")
            #expect(told.count == 1 && told[0].contains("missing=20") && told[0].contains("appendedAgain=20"))
        }
    }
}
