import Endpoints
import NIOCore
import RESP
import Testing
import ThrowawayRedis

@testable import RedisClient

extension RedisClientServerTests {
    @Test func logsInByPasswordAndByUser() async throws {
        try await Self.withServer {
            $0.password = "se\"cret ä"
            $0.users = ["user alice on >wonder ~* &* +@all"]
        } _: { server in
            for credentials in [Credentials(nil, "se\"cret ä"), Credentials("alice", "wonder")] {
                let client = Self.client(server.node, Self.settings { $0.credentials = credentials })
                let me = try await client.send(["ACL", "WHOAMI"])
                #expect(me.string == credentials.user ?? "default")
                await client.shutDown()
            }
        }
    }

    @Test func aWrongPasswordIsDeniedInOneClearLine() async throws {
        try await Self.withServer {
            $0.password = "right"
            $0.users = ["user alice on >wonder ~* &* +@all"]
        } _: { server in
            for credentials in [Credentials(nil, "pa55word"), Credentials("alice", "pa55word"), nil] {
                let error = try await Self.refusal(server, Self.settings { $0.credentials = credentials })
                #expect(error.kind == .denied)
                #expect(error.isPermanent)
                let line = error.description
                #expect(line.contains(server.address), "names the node: \(line)")
                #expect(line.contains("--redis"), "names the fix: \(line)")
                #expect(!line.contains("pa55word"))
                #expect(!line.contains("\n"))
            }
        }
    }

    @Test func aPasswordTheServerDoesNotHaveIsExplained() async throws {
        try await Self.withServer { server in
            let error = try await Self.refusal(server, Self.settings { $0.credentials = Credentials(nil, "pa55word") })
            #expect(error.kind == .denied)
            #expect(error.text.contains("the server has none"))
            #expect(!error.description.contains("pa55word"))
        }
    }

    @Test func aUserWithoutRightsLearnsWhichCommandIsMissing() async throws {
        try await Self.withServer {
            $0.users = ["user bob on >pass ~* resetchannels -@all +ping +client|setname"]
        } _: {
            server in
            let client = Self.client(server.node, Self.settings { $0.credentials = Credentials("bob", "pass") })
            let error = await #expect(throws: RedisError.self) { _ = try await client.send(["GET", "k"]) }
            #expect(error?.kind == .denied)
            #expect(error?.text.contains("lapse doctor --acl") == true)
            await client.shutDown()
        }
    }

    @Test func namesItsConnections() async throws {
        try await Self.withServer { server in
            for purpose in ["feed", "command", "lock"] {
                let settings = Self.settings().named("lapse:my group\n:id 1:\(purpose)")
                let client = Self.client(server.node, settings)
                let name = try await client.send(["CLIENT", "GETNAME"])
                #expect(name.string == "lapse:my-group-:id-1:\(purpose)", "what Redis refuses becomes a dash")
                await client.shutDown()
            }
        }
    }

    @Test func aRefusedNameIsNoReasonToStop() async throws {
        try await Self.withServer {
            $0.users = ["user bob on >pass ~* &* -@all +ping +get"]
        } _: { server in
            let client = Self.client(server.node, Self.settings { $0.credentials = Credentials("bob", "pass") })
            let reply = try await client.text("GET", "k")
            #expect(reply == nil)
            await client.shutDown()
        }
    }

    @Test func selectsItsDatabase() async throws {
        try await Self.withServer { server in
            try await server.cli("-n", "3", "SET", "k", "three")
            let client = Self.client(server.node, Self.settings { $0.database = 3 })
            let reply = try await client.text("GET", "k")
            #expect(reply == "three")
            await client.shutDown()
            let error = try await Self.refusal(server, Self.settings { $0.database = 99 })
            #expect(error.text.contains("DB index"))
        }
    }

    @Test func saysWhyANodeCannotBeReached() async throws {
        let refused = Self.client(NodeAddress(host: "127.0.0.1", port: 9))
        let error = await #expect(throws: RedisError.self) { _ = try await refused.send(["PING"]) }
        #expect(error?.kind == .unreachable)
        #expect(error?.description.contains("127.0.0.1:9: cannot connect: connection refused") == true)
        let nowhere = Self.client(NodeAddress(host: "nowhere.invalid", port: 6379))
        let unknown = await #expect(throws: RedisError.self) { _ = try await nowhere.send(["PING"]) }
        #expect(unknown?.kind == .unreachable)
        #expect(unknown?.text.contains("resolved") == true)
    }

    @Test func speaksIPv6AndHostNames() async throws {
        try await Self.withServer {
            $0.bind = ["::1", "127.0.0.1"]
        } _: { server in
            for host in ["::1", "localhost", "127.0.0.1"] {
                let client = Self.client(NodeAddress(host: host, port: server.port))
                let reply = try await client.text("PING")
                #expect(reply == "PONG")
                await client.shutDown()
            }
        }
    }

    /// BUSY refuses SELECT, too: such a connection would serve database 0.
    @Test func whileAScriptRunsNoConnectionStandsInAnotherDatabase() async throws {
        try await Self.withServer {
            $0.extra = ["lua-time-limit 50"]
        } _: { server in
            let endless = Task { try await server.cli("EVAL", "while true do end", "0") }
            try await waitUntil("it is busy", within: .seconds(20)) {
                do { return try await server.cli("PING") } catch {
                    return "\(error)".contains("BUSY") ? nil : "\(error)"
                }
            }
            let client = Self.client(server.node, Self.settings { $0.database = 3 })
            let error = await #expect(throws: RedisError.self) { _ = try await client.send(["PING"]) }
            #expect(
                error?.text.hasPrefix("BUSY") == true && error?.isPermanent == false, "\(String(describing: error))")
            // Nothing else is refused: the deployment is looked at all the same.
            let plain = Self.client(server.node)
            let word = await #expect(throws: RedisError.self) { _ = try await plain.send(["GET", "k"]) }
            #expect(word.map { if case .reply = $0.kind { true } else { false } } == true)
            _ = try await server.cli("SCRIPT", "KILL")
            _ = try? await endless.value
            try await waitUntil("it is let in", within: .seconds(20)) {
                do { _ = try await client.send(["PING"]) } catch { return "\(error)" }
                return nil
            }
            let info = try await client.text("CLIENT", "INFO")
            #expect(info?.contains(" db=3 ") == true, "\(info ?? "nothing")")
            await client.shutDown()
            await plain.shutDown()
        }
    }
}
