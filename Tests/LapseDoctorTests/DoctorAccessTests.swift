import ExpirationStream
import Lapse
import LeaderElection
import LeaderElectionRedis
import Logging
import RESP
import RedisClient
import Testing
import ThrowawayRedis

@testable import LapseDoctor

/// The user that `--acl` prints can do all that Lapse does, and the doctor notices what another one
/// lacks.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct DoctorAccessTests {
    private static let name = "rights"
    private static let deadLetter = "dead"
    private static let companion = "good:* => data:*"

    /// The printed line as redis.conf takes it.
    private func user(_ mode: Topology.Mode, _ change: (inout AccessRights) -> Void = { _ in }) -> String {
        var rights = AccessRights(user: nil, name: Self.name, mode: mode)
        change(&rights)
        return String(rights.line.dropFirst("ACL SETUSER ".count)).withPrefix("user ")
    }

    private func configuration(_ addresses: [String], companions: [String] = []) -> ProcessorConfiguration {
        var configuration = ProcessorConfiguration(
            redis: addresses.map { "redis://lapse:\(AccessRights.passwordPlace)@\($0)" }, name: Self.name)
        configuration.leaseTTL = .seconds(2)
        configuration.retries = 0
        configuration.deadLetter = Self.deadLetter
        configuration.companions = companions
        return configuration
    }

    private func examine(_ addresses: [String], companions: [String] = []) async throws -> DoctorReport {
        try await examine(configuration(addresses, companions: companions))
    }

    private func examine(_ configuration: ProcessorConfiguration) async throws -> DoctorReport {
        let doctor = try Doctor(configuration)
        do {
            let report = try await doctor.examine()
            await doctor.shutDown()
            return report
        } catch {
            await doctor.shutDown()
            throw error
        }
    }

    /// Elects, hears, numbers, buries, writes progress and hands over as this user.
    private func live(_ addresses: [String], on server: ThrowawayServer) async throws {
        let (handled, handling) = AsyncStream.makeStream(of: String.self)
        let processor = ExpirationProcessor(
            configuration: configuration(addresses), logger: Logger(label: "silent") { _ in SwiftLogNoOpLogHandler() }
        ) { expiration, _ in
            let key = "\(expiration.key)"
            handling.yield(key)
            if key.hasPrefix("poison") { throw LapseError.configuration(nil, "cannot be handled") }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await processor.run() }
            group.addTask {
                // Again and again until the feeds listen and a replica leads.
                var round = 0
                while !Task.isCancelled {
                    try await server.cli("-c", "SET", "good:\(round)", "v", "PX", "1")
                    try await server.cli("-c", "SET", "poison:\(round)", "v", "PX", "1")
                    round += 1
                }
            }
            var kinds: Set<Substring> = []
            for await key in handled {
                kinds.insert(key.prefix(4))
                if kinds.count == 2 { break }
            }
            processor.stop()
            try await group.next()
            group.cancelAll()
        }
    }

    private func refused(_ servers: [ThrowawayServer]) async throws -> [String] {
        var log: [String] = []
        for server in servers {
            let text = try await server.cli("ACL", "LOG")
            if !text.isEmpty { log.append(text) }
        }
        return log
    }

    @Test func thePrintedUserIsEnoughForAServer() async throws {
        var options = ServerOptions()
        options.users = [user(.standalone) { $0.deadLetter = Self.deadLetter }]
        let server = try await ThrowawayServer.start(options)
        do {
            let report = try await examine([server.address])
            #expect(
                report.findings.of("permissions").allSatisfy { $0.severity == .notes }
                    && report.facts.nodes[0].notifications == "xE")
            try await live([server.address], on: server)
            #expect(try await refused([server]) == [])
            let buried = try await server.cli("XLEN", Self.deadLetter)
            #expect(buried != "0")
            let keys = ElectionKeys.registers(1, name: Self.name)[0]
            let progress = try await server.cli("HGETALL", keys.progress)
            #expect(progress.contains("log:"))
        } catch {
            await server.shutDown()
            throw error
        }
        await server.shutDown()
    }

    @Test func thePrintedUserIsEnoughForACluster() async throws {
        var options = ClusterOptions()
        options.replicasPerMaster = 0
        options.server.users = [user(.cluster) { $0.deadLetter = Self.deadLetter }]
        let cluster = try await ThrowawayCluster.start(options)
        do {
            let addresses = cluster.nodes.map(\.address)
            let report = try await examine(addresses)
            #expect(report.findings.of("permissions").allSatisfy { $0.severity == .notes } && report.exitCode == 0)
            try await live(addresses, on: cluster.nodes[0])
            #expect(try await refused(cluster.nodes) == [])
        } catch {
            await cluster.shutDown()
            throw error
        }
        await cluster.shutDown()
    }

    @Test func theSentinelsUserIsEnough() async throws {
        var rights = AccessRights(user: nil, name: Self.name, mode: .sentinel)
        rights.deadLetter = Self.deadLetter
        let group = try await ThrowawaySentinel.start()
        do {
            let sentinelLine = try #require(rights.sentinelLine)
            for sentinel in group.sentinels {
                try await sentinel.cli(sentinelLine.split(separator: " ").map(String.init))
            }
            for server in group.servers { try await server.cli(rights.line.split(separator: " ").map(String.init)) }
            let hosts = group.sentinels.map(\.address).joined(separator: ",")
            var configuration = configuration([])
            configuration.redis = hosts.split(separator: ",").map {
                "redis+sentinel://lapse:\(AccessRights.passwordPlace)@\($0)/mymaster"
            }
            let doctor = try Doctor(configuration)
            let report = try await doctor.examine()
            await doctor.shutDown()
            #expect(report.exitCode == 0 && report.findings.of("permissions").allSatisfy { $0.severity == .notes })
            let refusals = try await refused(group.servers + group.sentinels)
            #expect(refusals == [])
        } catch {
            await group.shutDown()
            throw error
        }
        await group.shutDown()
    }

    @Test func theFixingUserMayMend() async throws {
        var options = ServerOptions()
        options.notifications = ""
        options.users = [user(.standalone) { $0.setsNotifications = true }]
        let server = try await ThrowawayServer.start(options)
        let doctor = try Doctor(configuration([server.address]))
        let repairs = await doctor.mend(try await doctor.examine())
        let after = try await doctor.examine()
        await doctor.shutDown()
        await server.shutDown()
        #expect(repairs.map(\.isApplied) == [true] && after.exitCode == 0)
    }

    /// What is taken away from the user, and the title of the finding that names it.
    @Test(arguments: [
        ("&__keyevent@*__:expired", "no right to subscribe to expired events"),
        ("&lapse:rights", "no right to subscribe to the channel lapse:rights"),
        ("+multi", "no right to mark the stream"), ("+exec", "no right to mark the stream"),
        ("+publish", "no right to mark the stream"), ("+config|get", "Lapse may not read notify-keyspace-events"),
        ("+hset", "no right to all the lease needs"), ("+pexpire", "no right to all the lease needs"),
        ("+zrange", "no right to all the lease needs"), ("+zadd", "no right to all the lease needs"),
        ("+eval", "no right to all the lease needs"),
        ("~{lapse-*}:rights:*", "no right to all the lease needs"),
    ])
    func whatIsTakenAwayIsNamed(_ word: String, _ title: String) async throws {
        var options = ServerOptions()
        options.users = [user(.standalone).split(separator: " ").filter { $0 != word }.joined(separator: " ")]
        let server = try await ThrowawayServer.start(options)
        do {
            let report = try await examine([server.address])
            #expect(
                report.findings.contains { $0.title == title && "\($0.node?.port ?? 0)" == "\(server.port)" },
                "\(report.text())")
            #expect(report.exitCode == (word == "+config|get" ? 0 : 1))
            #expect(!report.text().contains(AccessRights.passwordPlace))
        } catch {
            await server.shutDown()
            throw error
        }
        await server.shutDown()
    }

    /// In a cluster, whose nodes may not be asked for another one's keys.
    @Test(arguments: ["", "+exists", "+scan", "+get", "+del", "~data:*", "~timer:*"])
    func whatCompanionsLackIsNamed(_ word: String) async throws {
        let rule = "timer:* => data:*"
        let rules = try CompanionRules([rule])
        var options = ClusterOptions()
        options.replicasPerMaster = 0
        options.server.users = [
            user(.cluster) { $0.companions = rules }.split(separator: " ").filter { $0 != word }.joined(separator: " ")
        ]
        let cluster = try await ThrowawayCluster.start(options)
        do {
            let report = try await examine(cluster.nodes.map(\.address), companions: [rule])
            let found = report.findings.filter { $0.title == "no right to the companions" }
            #expect(found.count == (word.isEmpty ? 0 : cluster.nodes.count), "\(report.text())")
            for finding in found { #expect(finding.fix?.contains(word) == true, "\(finding)") }
        } catch {
            await cluster.shutDown()
            throw error
        }
        await cluster.shutDown()
    }

    @Test func whatTheStreamLacksIsNamed() async throws {
        var rights = AccessRights(user: nil, name: Self.name, mode: .standalone)
        rights.stream = try StreamKeys("exp", partitions: 2)
        let words = rights.line.split(separator: " ").map(String.init)
        let server = try await ThrowawayServer.start()
        do {
            for missing in ["", "+xadd", "+hmget", "+xinfo|groups", "+hsetnx", "~{exp}:lapse:*", "~exp:{p*}*"] {
                #expect(missing.isEmpty || words.contains(missing))
                try await server.cli(words.filter { $0 != missing })
                var configuration = configuration([server.address])
                configuration.deadLetter = nil
                configuration.stream = rights.stream.map { StreamDestination($0) }
                let report = try await examine(configuration)
                let found = report.findings.filter { $0.title == "no right to the stream" }
                #expect(found.count == (missing.isEmpty ? 0 : 1), "\(missing): \(report.text())")
                #expect(found.allSatisfy { $0.fix?.contains(missing) == true }, "\(found)")
            }
            // Nothing was appended, and nothing kept beside it.
            #expect(try await server.cli("DBSIZE") == "0")
        } catch {
            await server.shutDown()
            throw error
        }
        await server.shutDown()
    }

    @Test func theLineForAnyTopologyIsTakenByASingleServer() async throws {
        let server = try await ThrowawayServer.start()
        let line = AccessRights(user: nil, name: Self.name).line
        let answer = try await server.cli(line.split(separator: " ").map(String.init))
        await server.shutDown()
        #expect(answer == "OK" && line.contains("+cluster|nodes"))
    }

    @Test func namesAreEscapedInPatterns() {
        let rights = AccessRights(user: "svc", name: "a*b", mode: .standalone)
        #expect(rights.line.contains(#" ~{lapse-*}:a\*b:* "#) && rights.line.contains(#" &lapse:a\*b "#))
    }
}

extension String {
    fileprivate func withPrefix(_ prefix: String) -> String { prefix + self }
}
