import NIOCore
import RESP
import Testing
import ThrowawayRedis

@testable import RedisClient

extension RedisClientServerTests {
    @Test func tenThousandCommandsOfManyTasksKeepTheirReplies() async throws {
        try await Self.withServer { server in
            let client = Self.client(server.node)
            let mismatches = try await withThrowingTaskGroup(of: Int.self) { group in
                for task in 0..<100 {
                    group.addTask {
                        var mismatches = 0
                        for number in 0..<100 {
                            let word = "\(task)-\(number)"
                            let reply = try await client.text("ECHO", word)
                            if reply != word { mismatches += 1 }
                        }
                        return mismatches
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(mismatches == 0)
            let clients = try await server.info("connected_clients")
            #expect(clients == "2", "this one and redis-cli's")
            await client.shutDown()
        }
    }

    @Test func oneWriteKeepsItsOrderAndItsErrors() async throws {
        try await Self.withServer { server in
            let client = Self.client(server.node)
            let replies = try await client.send(
                [["SET", "k", "1"], ["LPUSH", "k", "x"], ["INCR", "k"], ["NOSUCH"], ["GET", "k"]])
            #expect(replies.map(\.int) == [nil, nil, 2, nil, 2])
            #expect(replies[1].error?.code == "WRONGTYPE")
            #expect(replies[3].error != nil)
            let error = await #expect(throws: RedisError.self) { _ = try await client.send(["LPUSH", "k", "x"]) }
            #expect(error.map { if case .reply = $0.kind { true } else { false } } == true)
            #expect(error?.node == server.node)
            await client.shutDown()
        }
    }

    @Test func aFrozenServerTimesOutAndRecovers() async throws {
        try await Self.withServer { server in
            let client = Self.client(server.node)
            _ = try await client.text("SET", "k", "before")
            let id = try await client.text("CLIENT", "ID")
            server.freeze()
            for number in 0..<3 {
                let error = await #expect(throws: RedisError.self) {
                    _ = try await client.send(["ECHO", "late \(number)"], timeout: .milliseconds(50))
                }
                #expect(error?.kind == .timeout)
                #expect(error?.text.contains("ECHO") == true)
                #expect(error?.isPermanent == false)
            }
            server.resume()
            // The late replies are dropped: each of these gets its own.
            for number in 0..<20 {
                let reply = try await client.text("ECHO", "fresh \(number)")
                #expect(reply == "fresh \(number)")
            }
            let same = try await client.text("CLIENT", "ID")
            #expect(same == id, "the connection was kept")
            await client.shutDown()
        }
    }

    @Test func aLateReplyIsNotTakenForTheNextOne() async throws {
        try await Self.withServer { server in
            let connection = try await Self.connect(server.node)
            server.freeze()
            for word in ["late 1", "late 2"] {
                await #expect(throws: RedisError.self) {
                    _ = try await connection.send([["ECHO", word]], timeout: .milliseconds(20)).get()
                }
            }
            let waiting = (1...3).map { connection.send([["ECHO", "fresh \($0)"]], timeout: .seconds(30)) }
            // All are on their way before the server answers anything.
            try await connection.channel.eventLoop.submit {}.get()
            server.resume()
            for (index, reply) in waiting.enumerated() {
                let values = try await reply.get()
                #expect(values.map(\.string) == ["fresh \(index + 1)"])
            }
            connection.close()
        }
    }

    @Test func aServerSilentForGoodIsGivenUp() async throws {
        try await Self.withServer { server in
            let connection = try await Self.connect(server.node)
            server.freeze()
            await #expect(throws: RedisError.self) {
                _ = try await connection.send([["PING"]], timeout: .milliseconds(20)).get()
            }
            try await connection.closed.get()
            let error = await #expect(throws: RedisError.self) { _ = try await connection.send([["PING"]]).get() }
            #expect(error?.kind == .timeout, "it says what happened")
            server.resume()
        }
    }

    @Test func aSendAfterTheCloseFails() async throws {
        try await Self.withServer { server in
            for _ in 0..<50 {
                let connection = try await Self.connect(server.node)
                connection.close()
                await #expect(throws: RedisError.self) { _ = try await connection.send([["PING"]]).get() }
                try await connection.closed.get()
                let error = await #expect(throws: RedisError.self) { _ = try await connection.send([["PING"]]).get() }
                #expect(error?.kind == .closed)
            }
        }
    }

    @Test func reconnectsToARestartedServer() async throws {
        try await Self.withServer { server in
            let client = Self.client(server.node)
            let before = try await client.text("CLIENT", "ID")
            #expect(before != nil)
            await server.kill()
            try await waitUntil("the loss is noticed", within: .seconds(5)) {
                do {
                    _ = try await client.text("PING")
                    return "it still answers"
                } catch { return nil }
            }
            try await server.start()
            try await waitUntil("it answers again", within: .seconds(5)) {
                try await client.text("PING") == "PONG" ? nil : "it says something else"
            }
            await client.shutDown()
            let error = await #expect(throws: RedisError.self) { _ = try await client.send(["PING"]) }
            #expect(error?.kind == .closed)
        }
    }

    /// A connection that is being made must not cost a command more than its own time.
    @Test func aTimeoutCountsTheConnecting() async throws {
        try await Self.withServer { server in
            server.freeze()
            let client = Self.client(server.node, Self.settings { $0.connectTimeout = .seconds(30) })
            let error = await #expect(throws: RedisError.self) {
                _ = try await client.send(["PING"], timeout: .milliseconds(100))
            }
            #expect(error?.kind == .timeout, "not the 30 s of the login")
            server.resume()
            let reply = try await client.text("PING")
            #expect(reply == "PONG")
            await client.shutDown()
        }
    }
}
