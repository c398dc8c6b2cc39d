import Foundation
import Testing
import ThrowawayRedis
import ThrowawayStores

/// `lapse doctor --store`: the store that votes is asked, and Redis is not judged as if it did.
@Suite(.timeLimit(.minutes(2)), .serialized) struct DoctorStoreTests {
    private struct Report: Decodable {
        struct Register: Decodable {}
        struct Finding: Decodable {
            var check: String
            var severity: String
            var detail: String
        }
        var registers: [Register]
        var findings: [Finding]
    }

    private func examine(_ server: ThrowawayServer, _ store: String) async throws -> (LapseBinary.Run, Report) {
        let run = try await LapseBinary.run(["doctor", "--json", "--redis", server.url, "--store", store])
        return (run, try JSONDecoder().decode(Report.self, from: Data(run.output.utf8)))
    }

    @Test(arguments: ["etcd://127.0.0.1:1/test", "consul://127.0.0.1:1/test"])
    func aStoreThatIsNotThereBreaksTheLease(store: String) async throws {
        let server = try await ThrowawayServer.start()
        let (run, report) = try await examine(server, store)
        #expect(run.code == 1 && report.registers.isEmpty, "\(run)")
        let found = report.findings.filter { $0.severity == "breaks" }
        #expect(found.map(\.check) == ["store"] && found[0].detail.contains("127.0.0.1:1"), "\(run)")
        await server.shutDown()
    }

    @Test func whereTheStoreVotesNoLockIsEvicted() async throws {
        guard ThrowawayEtcd.isInstalled else { return print("SKIPPED: etcd is not installed") }
        let (server, etcd) = (try await ThrowawayServer.start(), try await ThrowawayEtcd.start())
        try await server.cli("CONFIG", "SET", "maxmemory", "1gb")
        try await server.cli("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        let (run, report) = try await examine(server, "etcd://127.0.0.1:\(etcd.port)/test")
        #expect(run.code == 0, "\(run)")
        #expect(report.findings.filter { $0.check == "eviction" }.map(\.severity) == ["warns"], "\(run)")
        await etcd.shutDown()
        await server.shutDown()
    }

    @Test(arguments: [
        (["--store", "etcd://ann@h:2379"], "--store-password-file"),
        (["--store", "consul://127.0.0.1:1", "--registers", "3"], "registers and lock servers"),
    ])
    func aStoreThatCannotBeIsRefused(options: [String], word: String) async throws {
        let run = try await LapseBinary.run(["doctor"] + options)
        #expect(run.code == 64 && run.lastLine.contains(word), "\(run)")
    }
}
