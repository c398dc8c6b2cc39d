import Lapse
import RedisClient
import Testing
import ThrowawayRedis

@testable import LapseDoctor

/// The doctor at real servers.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct DoctorServerTests {
    private func examine(_ redis: [String], change: (inout ProcessorConfiguration) -> Void = { _ in }) async throws
        -> DoctorReport
    {
        var configuration = ProcessorConfiguration(redis: redis, name: "clinic")
        change(&configuration)
        return try await withDoctor(configuration) { try await $0.examine() }
    }

    private func withServer(
        _ options: ServerOptions = ServerOptions(), _ body: (ThrowawayServer) async throws -> Void
    ) async throws {
        let server = try await ThrowawayServer.start(options)
        do { try await body(server) } catch {
            await server.shutDown()
            throw error
        }
        await server.shutDown()
    }

    @Test func aClusterWithOneSilentNodeIsMended() async throws {
        let cluster = try await ThrowawayCluster.start()
        do {
            let configuration = ProcessorConfiguration(
                redis: cluster.urls.split(separator: ",").map(String.init), name: "clinic")
            try await withDoctor(configuration) { doctor in
                let healthy = try await doctor.examine()
                #expect(healthy.exitCode == 0, "\(healthy.text())")
                #expect(healthy.facts.nodes.count == 6 && healthy.facts.answering.count == 6)
                #expect(healthy.facts.nodes.allSatisfy { $0.notifications == "xE" && $0.refusals.isEmpty })
                #expect(healthy.findings.of("registers").isEmpty && healthy.findings.of("clocks").isEmpty)

                let master = try await cluster.masters()[0]
                let replica = try await cluster.replicas(of: master)[0]
                try await replica.cli("CONFIG", "SET", "notify-keyspace-events", "Kg$")
                let sick = try await doctor.examine()
                let finding = try #require(sick.findings.of("notifications").first)
                #expect(sick.exitCode == 1 && finding.node.map { "\($0)" } == replica.address)
                let has = try await replica.cli("CONFIG", "GET", "notify-keyspace-events").split(separator: "\n").last
                #expect(
                    finding.fix == "redis-cli -h 127.0.0.1 -p \(replica.port) "
                        + "CONFIG SET notify-keyspace-events '\(has ?? "")Ex'")

                let repairs = await doctor.mend(sick)
                #expect(repairs.count == 1 && repairs[0].isApplied && repairs[0].detail.contains("CONFIG REWRITE"))
                let mended = try await doctor.examine()
                #expect(mended.exitCode == 0)
                let flags = try #require(mended.facts.nodes.first { "\($0.address)" == replica.address }?.notifications)
                #expect(Set("Kg$Ex").isSubset(of: flags))
                #expect(await doctor.mend(mended).isEmpty)

                await replica.kill()
                let hurt = try await doctor.examine()
                #expect(
                    hurt.findings.of("reachability").contains {
                        "\($0.node.map(\.description) ?? "")" == replica.address
                    })
            }
        } catch {
            await cluster.shutDown()
            throw error
        }
        await cluster.shutDown()
    }

    @Test func aSingleServerIsHealthyWithOneRegister() async throws {
        try await withServer { server in
            let report = try await examine([server.url])
            #expect(report.exitCode == 0 && report.facts.registers.count == 1)
            #expect(report.findings.of("registers").isEmpty && report.findings.of("permissions").isEmpty)
        }
    }

    @Test("row 71: what run does is done, and nothing is left of it but one key of its own that expired")
    func nothingIsLeftBehind() async throws {
        try await withServer { server in
            let report = try await examine([server.url])
            #expect(report.exitCode == 0, "\(report.text())")
            let size = try await server.cli("DBSIZE")
            let expired = try await server.info("expired_keys")
            #expect(size == "0" && expired == "1")
        }
    }

    private func failure(
        _ change: (inout ServerOptions) -> Void = { _ in }, _ disguise: (Relay) -> Void = { _ in }
    ) async throws -> [DoctorFinding] {
        var options = ServerOptions()
        change(&options)
        var findings: [DoctorFinding] = []
        try await withServer(options) { server in
            let relay = try Relay(to: server)
            disguise(relay)
            let report = try await examine([relay.url])
            relay.shutDown()
            #expect(report.exitCode == 1, "\(report.text())")
            findings = report.findings.of("delivery")
        }
        return findings
    }

    @Test("row 71: a server without a run ID, without Lua, or with flags and no events breaks delivery, in its words")
    func whatRunNeedsIsTried() async throws {
        let nameless = try await failure { _ in
        } _: {
            $0.replace("\r\nrun_id:", with: "\r\nrum_id:")
        }
        #expect(nameless.first?.detail.contains("names no run_id") == true, "\(nameless)")
        let speechless = try await failure { $0.extra = ["rename-command EVAL \"\"", "rename-command EVALSHA \"\""] }
        #expect(speechless.first?.detail.contains("unknown command") == true, "\(speechless)")
        let mute = try await failure {
            $0.notifications = "Kx"
        } _: {
            $0.replace("xK", with: "xE")
        }
        #expect(mute.map(\.title) == ["an expiration was not announced"], "\(mute)")
    }

    @Test("row 71: a server or proxy with which no subscription stands, while commands are answered")
    func noSubscriptionStands() async throws {
        let closing = try await failure { _ in
        } _: {
            $0.end(behind: "subscribe")
        }
        let halved = try await failure { _ in
        } _: {
            $0.onAnswers { _, bytes in
                if bytes.firstRange(of: "subscribe".utf8) != nil { bytes = Array("*3\r\n$9\r\nsubsc".utf8) }
            }
            $0.end(behind: "subsc")
        }
        let silent = try await failure { _ in
        } _: {
            $0.onRequests { _, bytes in
                if bytes.firstRange(of: "SUBSCRIBE".utf8) != nil { bytes = [] }
            }
        }
        for found in [closing, halved, silent] {
            #expect(found.map(\.title) == ["cannot be listened to"], "\(found)")
        }
    }

    @Test("row 61: who announces what, where a node is wrong about itself")
    func aNodesOwnWord() {
        var facts = NodeFacts(NodeAddress(host: "10.0.0.1", port: 6379), .master)
        facts.ownWord = NodeAddress(host: "10.0.0.9", port: 6379)
        facts.announced = NodeAddress(host: "10.0.0.1", port: 6379)
        let finding = AddressesCheck().findings(DeploymentFacts(mode: .cluster, nodes: [facts], registers: [])).first
        #expect(finding?.title == "calls itself 10.0.0.9:6379, the others call it 10.0.0.1:6379")
    }

    @Test func aWrongPasswordNamesNodeAndFixAndNoSecret() async throws {
        var options = ServerOptions()
        options.password = "right"
        try await withServer(options) { server in
            await #expect {
                _ = try await examine(["redis://:wr0ng-secret@\(server.address)"])
            } throws: { error in
                guard let error = error as? LapseError, error.code == .denied, case let text = error.description else {
                    return false
                }
                return text.contains(server.address) && text.contains("--redis-password-file")
                    && !text.contains("wr0ng") && !text.contains("right")
            }
        }
    }

    @Test func nobodyThere() async throws {
        let server = try await ThrowawayServer.start()
        let url = server.url
        await server.shutDown()
        await #expect {
            _ = try await examine([url])
        } throws: {
            ($0 as? LapseError).map { $0.code == .unreachable && $0.description.contains("connection refused") }
                ?? false
        }
    }

    @Test func configRenamedAwayIsSaid() async throws {
        var options = ServerOptions()
        options.extra = ["rename-command CONFIG \"\""]
        try await withServer(options) { server in
            let report = try await examine([server.url])
            #expect(
                report.exitCode == 0 && report.findings.of("notifications").first?.title == "CONFIG is not available")
        }
    }

    @Test func aSentinelGroup() async throws {
        let group = try await ThrowawaySentinel.start()
        do {
            let urls = group.sentinels.map { "redis+sentinel://\($0.address)/mymaster" }
            let report = try await examine(urls)
            #expect(report.facts.mode == .sentinel && report.facts.nodes.count == 2 && report.exitCode == 0)
            #expect(report.facts.sentinelPatience == .seconds(1))
            #expect(report.findings.of("failover").map(\.severity) == [.warns])
            await group.sentinels[0].kill()
            let hurt = try await examine(urls)
            #expect(hurt.findings.of("reachability").count == 1)
        } catch {
            await group.shutDown()
            throw error
        }
        await group.shutDown()
    }

    @Test func lockServersAreExaminedToo() async throws {
        try await withServer { data in
            try await withServer { lock in
                let report = try await examine([data.url]) { $0.lockServers = [lock.url, lock.url, data.url] }
                #expect(report.facts.nodes.count(where: \.isLockServer) == 3)
                #expect(report.findings.of("registers").map(\.severity) == [.breaks])
            }
        }
    }
}
