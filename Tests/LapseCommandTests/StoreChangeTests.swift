import Foundation
import Glibc
import Testing
import ThrowawayRedis
import ThrowawayStores

/// The lease moves to another store, or its store forgets everything: the progress in Redis is kept.
@Suite(.timeLimit(.minutes(3)), .serialized) struct StoreChangeTests {
    private struct Line: Decodable { var key: String }

    private func keys(_ child: LapseBinary.Child) -> [String] {
        child.lines.compactMap { try? JSONDecoder().decode(Line.self, from: Data($0.utf8)).key }
    }

    private func start(_ server: ThrowawayServer, _ store: [String], id: String) async throws -> LapseBinary.Child {
        let child = try LapseBinary.start(
            ["run", "--redis", server.url, "--name", "moves", "--id", id, "--lease-ttl", "2s", "--handler", "ndjson"]
                + ["--admin", "off"] + store)
        try await waitUntil("it leads", within: .seconds(20)) {
            child.text.errors.contains("became leader") ? nil : child.text.errors
        }
        return child
    }

    private func expire(_ prefix: String, _ count: Int, _ server: ThrowawayServer, by child: LapseBinary.Child)
        async throws
    {
        try await server.script((0..<count).map { "SET \(prefix):\($0) v PX 20" })
        try await waitUntil("all are handled", within: .seconds(20)) {
            let handled = Set(keys(child).filter { $0.hasPrefix("\(prefix):") }).count
            return handled == count ? nil : "\(handled) are: \(child.text.errors.suffix(1_500))"
        }
    }

    @Test(
        "row 111: from Redis to etcd, all replicas stopped: nothing twice, nothing lost, also at the take-over after it"
    )
    func moved() async throws {
        guard ThrowawayEtcd.isInstalled else { return print("SKIPPED: etcd is not installed") }
        let (server, etcd) = (try await ThrowawayServer.start(), try await ThrowawayEtcd.start())
        let store = ["--store", "etcd://127.0.0.1:\(etcd.port)/lapse"]
        let first = try await start(server, [], id: "a")
        try await expire("one", 50, server, by: first)
        first.signal(SIGTERM)
        #expect(try await first.end().code == 0)

        let second = try await start(server, store, id: "b")
        // It reads what the other store's leader wrote before this one's leader writes anything.
        let third = try LapseBinary.start(
            ["run", "--redis", server.url, "--name", "moves", "--id", "c", "--lease-ttl", "2s", "--handler", "ndjson"]
                + ["--admin", "off"] + store)
        try await waitUntil("it follows", within: .seconds(20)) {
            third.text.errors.contains("subscribed") && third.text.errors.contains("following")
                ? nil : third.text.errors
        }
        try await expire("two", 50, server, by: second)
        let errors = second.text.errors.split(separator: "\n").filter { $0.contains(" error ") }
        #expect(errors.count == 1 && errors[0].contains("the lease has moved to another store"), "\(errors)")
        second.signal(SIGTERM)
        _ = try await second.end()
        try await expire("three", 30, server, by: third)
        third.signal(SIGTERM)
        _ = try await third.end()
        let all = keys(first) + keys(second) + keys(third)
        #expect(all.count == 130 && Set(all).count == 130, "twice: \(all.count - Set(all).count)")
        for child in [first, second, third] { #expect(!child.text.errors.contains(" gap ")) }
        await etcd.shutDown()
        await server.shutDown()
    }

    @Test("row 111: etcd comes back empty: one error line with the remedy, nothing handled over and over")
    func wiped() async throws {
        guard ThrowawayEtcd.isInstalled else { return print("SKIPPED: etcd is not installed") }
        let server = try await ThrowawayServer.start()
        let before = try await ThrowawayEtcd.start()
        // The wiped one counts its revisions from the beginning.
        for number in 0..<50 { try await before.control("put", "other", "\(number)") }
        let first = try await start(server, ["--store", "etcd://127.0.0.1:\(before.port)/lapse"], id: "a")
        try await expire("one", 50, server, by: first)
        first.signal(SIGTERM)
        #expect(try await first.end().code == 0)
        await before.shutDown()

        let after = try await ThrowawayEtcd.start()
        let second = try await start(server, ["--store", "etcd://127.0.0.1:\(after.port)/lapse"], id: "b")
        try await expire("two", 50, server, by: second)
        let errors = second.text.errors.split(separator: "\n").filter { $0.contains(" error ") }
        #expect(errors.count == 1 && errors[0].contains("the store has forgotten its tokens"), "\(errors)")
        #expect(errors[0].contains("fix="))
        second.signal(SIGTERM)
        #expect(try await second.end().code == 0)
        let all = keys(first) + keys(second)
        #expect(all.count == 100 && Set(all).count == 100, "\(all.count)")
        await after.shutDown()
        await server.shutDown()
    }
}
