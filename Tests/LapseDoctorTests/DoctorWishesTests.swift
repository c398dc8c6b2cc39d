import ExpirationStream
import Lapse
import RedisClient
import Testing
import ThrowawayRedis

@testable import LapseDoctor

/// What `--punctual`, `--dead-letter` and `--stream` need besides lease and delivery is tried at real
/// servers, too.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct DoctorWishesTests {
    private func withServer(_ body: (ThrowawayServer) async throws -> Void) async throws {
        let server = try await ThrowawayServer.start()
        do { try await body(server) } catch {
            await server.shutDown()
            throw error
        }
        await server.shutDown()
    }

    @Test("what is taken away from the printed user is named, and lease and delivery are tried all the same")
    func missingRights() async throws {
        var rights = AccessRights(user: nil, name: "wishes", mode: .standalone)
        rights.deadLetter = "dead"
        rights.punctual = .track
        rights.wanted = ["cart:*", "[ab]?"]
        let words = rights.line.split(separator: " ").map(String.init)
        let letters = "no right to the stream for dead letters"
        let hints = "no right to hear what sets TTLs"
        let punctual = "no right to be punctual"
        try await withServer { server in
            var configuration = ProcessorConfiguration(
                redis: ["redis://lapse:\(AccessRights.passwordPlace)@\(server.address)"], name: "wishes",
                match: rights.wanted)
            configuration.deadLetter = "dead"
            configuration.punctual = .track
            for (missing, title) in [
                ("", nil), ("+xadd", letters), ("+type", letters), ("+xlen", letters), ("~dead", letters),
                ("&__keyevent@*__:expire", hints), ("&__keyevent@*__:move_to", hints), ("+scan", punctual),
                ("+pexpiretime", punctual), ("~cart:*", punctual), ("~[ab]?", punctual),
            ] as [(String, String?)] {
                #expect(missing.isEmpty || words.contains(missing))
                try await server.cli(words.filter { $0 != missing })
                let report = try await withDoctor(configuration) { try await $0.examine() }
                let found = report.findings.of("permissions").filter { $0.severity != .notes }
                #expect(found.map(\.title) == (title.map { [$0] } ?? []), "\(missing): \(report.text())")
                #expect(found.allSatisfy { $0.severity == .warns && $0.fix?.contains(missing) == true }, "\(found)")
                #expect(report.exitCode == 0 && report.findings.of("delivery").isEmpty, "\(report.text())")
                #expect(report.findings.of("dead-letter").isEmpty, "\(report.text())")
            }
            #expect(try await server.cli("DBSIZE") == "0")
        }
    }

    @Test("--fix adds class g, which --punctual track needs")
    func hintsAreMended() async throws {
        try await withServer { server in
            var configuration = ProcessorConfiguration(redis: [server.url], name: "wishes")
            configuration.punctual = .track
            try await withDoctor(configuration) { doctor in
                let before = try await doctor.examine()
                #expect(before.findings.of("notifications").map(\.severity) == [.warns], "\(before.text())")
                let repairs = await doctor.mend(before)
                #expect(repairs.map(\.isApplied) == [true], "\(repairs)")
                let after = try await doctor.examine()
                #expect(after.findings.of("notifications").isEmpty, "\(after.text())")
                #expect(after.facts.nodes[0].notifications?.contains("g") == true)
                #expect(await doctor.mend(after).isEmpty)
            }
        }
    }

    @Test("a key of another type at --stream is found, in each partition")
    func aStringWhereTheStreamBelongs() async throws {
        let keys = try StreamKeys("exp", partitions: 3)
        try await withServer { server in
            var configuration = ProcessorConfiguration(redis: [server.url], name: "wishes")
            configuration.stream = StreamDestination(keys)
            let before = try await withDoctor(configuration) { try await $0.examine() }
            #expect(before.findings.of("stream").isEmpty, "\(before.text())")
            try await server.cli("SET", keys.partitions[1], "v")
            let report = try await withDoctor(configuration) { try await $0.examine() }
            let found = report.findings.of("stream")
            #expect(found.count == 1 && report.exitCode == 1, "\(report.text())")
            #expect(found.first?.detail.hasPrefix("\(keys.partitions[1]) is a string") == true, "\(found)")
        }
    }
}
