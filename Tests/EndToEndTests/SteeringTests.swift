import Chaos
import Foundation
import LeaderElectionRedis
import Testing
import ThrowawayRedis

/// Row 98: operators steer a group of real processes under load.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct SteeringTests {
    private let keys = ElectionKeys.registers(1, name: "steered")[0]

    private func lapse(_ arguments: String..., on server: ThrowawayServer) async throws -> Binary.Answer {
        try await Binary.run(arguments + ["--redis", server.url, "--name", "steered"])
    }

    /// The target has a head start, no more: on a busy machine another replica may be first, which the
    /// command says.
    private func handOver(to target: String, on server: ThrowawayServer) async throws -> Binary.Answer {
        for _ in 0..<4 {
            let answer = try await lapse("step-down", "--to", target, on: server)
            guard answer.code == 1, answer.text.contains("\(target) did not win: another replica was first") else {
                return answer
            }
        }
        return try await lapse("step-down", "--to", target, on: server)
    }

    private func withGroup(_ body: (ThrowawayServer, ReplicaGroup) async throws -> Void) async throws {
        let server = try await ThrowawayServer.start()
        let group = try await ReplicaGroup.start(
            binary: Binary.lapse, redis: server.url, name: "steered", leaseTTL: .seconds(4), nodes: 1)
        do {
            _ = try await group.leader()
            // The registers have seen all of them.
            try await waitUntil("three are known", within: .seconds(10)) {
                let members = try await server.cli("ZCARD", keys.members)
                return members.hasPrefix("3") ? nil : members
            }
            try await body(server, group)
        } catch {
            await group.shutDown()
            await server.shutDown()
            throw error
        }
        await group.shutDown()
        await server.shutDown()
    }

    private func expectOnce(_ group: ReplicaGroup, _ count: Int) async throws {
        try await waitUntil("\(count) are handled", within: .seconds(20)) {
            group.handledKeys.count >= count ? nil : "\(group.handledKeys.count)"
        }
        #expect(group.handled.count == count, "\(group.handled.count - count) twice")
        #expect(group.count(of: " gap ") == 0 && group.count(of: "leadership lost") == 0)
    }

    @Test("step-down under load: another replica leads, nothing is lost and nothing handled twice")
    func stepDown() async throws {
        try await withGroup { server, group in
            var made = 0
            for round in 0..<3 {
                let old = try await group.leader()
                let next = try #require(group.replicas.first { $0.id != old.id })
                // Expirations come while it hands over.
                try await server.script((0..<2000).map { "SET k:\(round):\($0) v PX \(1 + $0 / 2)" })
                made += 2000
                let target = round == 0 ? nil : next.id
                let answer =
                    if let target {
                        try await handOver(to: target, on: server)
                    } else { try await lapse("step-down", on: server) }
                #expect(answer.code == 0, "\(answer.text)")
                let new = try await group.leader()
                if let target { #expect(new.id == target) } else { #expect(new.id != old.id) }
                #expect(old.isRunning)
                // Behind a line about the wait, if it took more than a second.
                #expect(answer.text.hasSuffix("\(new.id) leads now\n"), "\(answer.text)")
                #expect(old.log.contains("stepping down on request"))
            }
            try await expectOnce(group, made)
            let absent = try await lapse("step-down", "--to", "none", on: server)
            #expect(absent.code == 1 && absent.text.contains("no replica none is alive: there is a, b, c"))
            let left = try await server.cli("HKEYS", keys.progress)
            #expect(!left.contains("wish:"), "a wish that is fulfilled goes: \(left)")
        }
    }

    @Test("a PUBLISH alone moves nothing, and damaged wishes are none")
    func forged() async throws {
        try await withGroup { server, group in
            let leader = try await group.leader()
            let hash = keys.progress
            let nonce = String(repeating: "ab", count: 16)
            let channel = "lapse:steered"
            try await server.script(
                (0..<300).map { _ in "PUBLISH \(channel) wish:v1:" }
                    + [
                        "PUBLISH \(channel) wish:v1:step-down",
                        "PUBLISH \(channel) wish:v1:\(String(repeating: "x", count: 60_000))",
                        "HSET \(hash) wish:step-down 'v1 \(nonce) 1 9007199254740991 9007199254740991 - a'",
                        "HSET \(hash) wish:pause 'v1 \(nonce) 9007199254740000 9007199254740991 0 - a'",
                        "HSET \(hash) steered 'v1 9007199254740991 \(nonce) done \(String(repeating: "b", count: 5000)) '",
                        "PUBLISH \(channel) wish:v1:",
                    ])
            try await server.script((0..<100).map { "SET f:\($0) v PX 20" })
            try await expectOnce(group, 100)
            #expect(group.leads(leader))
            #expect(group.count(of: "became leader") == 1)
            #expect(group.count(of: "handing out paused") == 0 && group.count(of: "stepping down") == 0)
        }
    }

    @Test("pause: nothing is handed out, also by the next leader, until it is taken back or its time is over")
    func pause() async throws {
        try await withGroup { server, group in
            let resumedAtOnce = try await lapse("resume", on: server)
            #expect(resumedAtOnce.text == "not paused\n")
            let paused = try await lapse("pause", "--for", "40s", on: server)
            #expect(paused.code == 0 && paused.text.contains("hands out nothing for"), "\(paused.text)")
            try await server.script((0..<200).map { "SET p:\($0) v PX 20" })
            try await waitUntil("they have expired", within: .seconds(10)) {
                try await server.cli("DBSIZE").contains("20") ? "not yet" : nil
            }
            let readiness = try #require(await group.leader().readiness)
            #expect(readiness.status == 200 && readiness.text.hasPrefix("ok\npaused by "), "\(readiness)")
            let status = try await lapse("status", on: server)
            #expect(status.text.contains("\npaused    by "), "\(status.text)")
            // The pause holds on through a change of leader.
            let old = try await group.leader()
            #expect(try await lapse("step-down", on: server).code == 0)
            #expect(try await group.leader().id != old.id)
            #expect(group.handled.isEmpty)
            let resumed = try await lapse("resume", on: server)
            #expect(resumed.code == 0 && resumed.text.contains("hands out again"), "\(resumed.text)")
            try await expectOnce(group, 200)
            // By itself.
            #expect(try await lapse("pause", "--for", "2s", on: server).code == 0)
            try await server.script((0..<50).map { "SET q:\($0) v PX 20" })
            try await expectOnce(group, 250)
            #expect(group.count(of: "handing out goes on") >= 2)
        }
    }
}
