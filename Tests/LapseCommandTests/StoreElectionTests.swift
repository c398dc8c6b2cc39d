import Foundation
import Glibc
import Testing
import ThrowawayRedis
import ThrowawayStores

/// `--store`: real processes elect over real servers of every kind.
@Suite(.timeLimit(.minutes(5)), .serialized) struct StoreElectionTests {
    /// A server and the options that lead to it.
    enum Kind: String, CaseIterable, Sendable {
        case etcd, consul, heartbeat, lease

        static let present = allCases.filter { kind in
            guard let missing = kind.missing else { return true }
            print("SKIPPED: election over \(kind.rawValue): \(missing) is not installed (scripts/prerequisites)")
            return false
        }

        private var missing: String? {
            switch self {
            case .etcd: ThrowawayEtcd.isInstalled ? nil : "etcd"
            case .consul: ThrowawayConsul.isInstalled ? nil : "consul"
            case .heartbeat, .lease: Self.isBuiltWithMySQL ? ThrowawayMariaDB.missing : "the trait MySQL"
            }
        }

        private static var isBuiltWithMySQL: Bool {
            #if MySQL
            true
            #else
            false
            #endif
        }

        fileprivate func start() async throws -> Store {
            switch self {
            case .etcd:
                let server = try await ThrowawayEtcd.start()
                return Store(options: ["--store", "etcd://127.0.0.1:\(server.port)/test"]) { await server.shutDown() }
            case .consul:
                let server = try await ThrowawayConsul.start()
                return Store(options: ["--store", "consul://127.0.0.1:\(server.port)/test"]) {
                    await server.shutDown()
                }
            case .heartbeat, .lease:
                let server = try await ThrowawayMariaDB.start()
                let password = try TemporaryFile(ThrowawayMariaDB.password + "\n")
                let account = "\(ThrowawayMariaDB.user)@127.0.0.1:\(server.port)/\(ThrowawayMariaDB.database)"
                return Store(
                    options: [
                        "--store", "mysql://\(account)?scheme=\(rawValue)", "--store-password-file", password.path,
                    ],
                    keeping: password
                ) { await server.shutDown() }
            }
        }
    }

    fileprivate struct Store {
        let options: [String]
        var keeping: TemporaryFile?
        let shutDown: () async -> Void

        init(options: [String], keeping: TemporaryFile? = nil, shutDown: @escaping () async -> Void) {
            self.options = options
            self.keeping = keeping
            self.shutDown = shutDown
        }

        func elect(_ id: String, _ more: [String] = []) throws -> LapseBinary.Child {
            try LapseBinary.start(
                ["elect", "--name", "e", "--lease-ttl", "2s", "--id", id] + options + more
                    + ["--", "sh", "-c", #"echo "$LAPSE_ID $LAPSE_TERM $LAPSE_TOKEN"; exec sleep 1000"#])
        }
    }

    private func term(_ child: LapseBinary.Child) async throws -> (id: String, number: UInt64, token: UInt64) {
        try await waitUntil("the program runs", within: .seconds(60)) {
            child.lines.isEmpty ? "\(child.text)" : nil
        }
        let words = child.lines[0].split(separator: " ")
        return (String(words[0]), try #require(UInt64(words[1])), try #require(UInt64(words[2])))
    }

    private func waitUntilFollowing(_ child: LapseBinary.Child) async throws {
        try await waitUntil("it follows", within: .seconds(30)) {
            child.text.errors.contains("following") ? nil : child.text.errors
        }
    }

    @Test(arguments: Kind.present) func aProgramIsHandedOverOnStopAndOnCrash(kind: Kind) async throws {
        let store = try await kind.start()
        let first = try store.elect("one")
        let one = try await term(first)
        let second = try store.elect("two")
        try await waitUntilFollowing(second)
        #expect(second.lines.isEmpty)

        first.signal(SIGTERM)
        let stopped = try await first.end()
        #expect(stopped.code == 128 + SIGTERM, "\(stopped.errors)")
        let two = try await term(second)
        #expect(one.id == "one" && two.id == "two")
        #expect(two.token > one.token && two.number > one.number)

        let third = try store.elect("three")
        try await waitUntilFollowing(third)
        second.signal(SIGKILL)
        _ = try await second.end()
        let three = try await term(third)
        #expect(three.token > two.token && three.number > two.number)
        third.signal(SIGTERM)
        _ = try await third.end()
        await store.shutDown()
    }

    /// Consul's lock delay belongs to sessions that end; the claim of the dead is given back as one of the
    /// living is.
    @Test(arguments: Kind.present) func theLeaseOfASupervisedLeaderThatDiedIsReleased(kind: Kind) async throws {
        let store = try await kind.start()
        let first = try store.elect("one", ["--supervise", "on", "--on-crash", "exit"])
        let one = try await term(first)
        let second = try store.elect("two")
        try await waitUntilFollowing(second)
        // Sooner its lease is left to run out.
        try await Task.sleep(for: .milliseconds(5200))
        kill(try await ChildProcesses.only(of: first.pid), SIGKILL)
        let run = try await first.end()
        #expect(run.code == 128 + SIGKILL)
        #expect(run.errors.contains("lease released for a worker that died"), "\(run.errors)")
        let two = try await term(second)
        #expect(two.token > one.token && two.number > one.number)
        #expect(!second.text.errors.contains("lock delay"))
        second.signal(SIGTERM)
        _ = try await second.end()
        await store.shutDown()
    }

    @Test(arguments: Kind.present) func theServiceHandlesUnderALeaseOfAnotherStore(kind: Kind) async throws {
        let store = try await kind.start()
        let server = try await ThrowawayServer.start()
        func replica(_ id: String) throws -> LapseBinary.Child {
            try LapseBinary.start(
                ["run", "--redis", server.url, "--name", "e", "--lease-ttl", "2s", "--handler", "ndjson"]
                    + ["--admin", "off", "--id", id] + store.options)
        }
        let first = try replica("one")
        try await waitUntil("it leads", within: .seconds(30)) {
            first.text.errors.contains("became leader") ? nil : first.text.errors
        }
        let second = try replica("two")
        try await waitUntilFollowing(second)
        try await server.script((0..<20).map { "SET k:\($0) v PX 20" })
        try await waitUntil("all are printed", within: .seconds(10)) {
            first.lines.count >= 20 ? nil : "\(first.lines.count) are"
        }
        let status = try await LapseBinary.run(
            ["status", "--redis", server.url, "--name", "e"] + store.options)
        #expect(status.code == 0 && status.output.contains("leader    one"), "\(status)")

        first.signal(SIGTERM)
        #expect(try await first.end().code == 0)
        try await waitUntil("the other one leads", within: .seconds(30)) {
            second.text.errors.contains("became leader") ? nil : second.text.errors
        }
        try await server.script((20..<40).map { "SET k:\($0) v PX 20" })
        try await waitUntil("the rest is printed", within: .seconds(10)) {
            second.lines.count >= 20 ? nil : "\(second.lines.count) are"
        }
        second.signal(SIGTERM)
        #expect(try await second.end().code == 0)
        // Nothing twice, nothing lost: the second took over where the first had stood.
        #expect(first.lines.count == 20 && second.lines.count == 20)
        // Redis holds the progress and no lock.
        #expect(try await server.cli("KEYS", "*:lock") == "")
        #expect(try await server.cli("KEYS", "*:progress") != "")
        await server.shutDown()
        await store.shutDown()
    }

    @Test(arguments: [
        ("etcd://me:secret@127.0.0.1:1", "the password goes into a file"),
        ("etcd://", "a host is missing"), ("consul://me@127.0.0.1", "tokens, not users"),
        ("mysql://127.0.0.1/db", "--store"), ("consul://127.0.0.1:0", "port"),
    ])
    func aStoreThatCannotBeIsOneLine(url: String, text: String) async throws {
        for words in [["elect", "--store", url, "--", "true"], ["run", "--admin", "off", "--store", url]] {
            let run = try await LapseBinary.run(words)
            #expect(run.code == 64, "\(run.errors)")
            #expect(run.lastLine.hasPrefix("lapse: --store") && run.lastLine.contains(text), "\(run.errors)")
            #expect(!run.errors.contains("secret"))
        }
    }

    /// What is wrong beside a store that is open already is one line as well.
    @Test(arguments: [
        ["--handler", "print"], ["--registers", "3"], ["--redis", "rediss://127.0.0.1", "--tls-key", "k"],
    ])
    func aMistakeBesideAStoreIsOneLine(more: [String]) async throws {
        let run = try await LapseBinary.run(["run", "--admin", "off", "--store", "etcd://127.0.0.1:1"] + more)
        #expect(run.code == 64 && run.lastLine.hasPrefix("lapse: --"), "\(run)")
    }

    @Test(.enabled(if: Kind.present.contains(.lease))) func aStoreThatRefusesIs77() async throws {
        let server = try await ThrowawayMariaDB.start()
        let password = try TemporaryFile("wrong-word\n")
        let url = "mysql://\(ThrowawayMariaDB.user)@127.0.0.1:\(server.port)/\(ThrowawayMariaDB.database)?scheme=lease"
        let store = ["--store", url, "--store-password-file", password.path]
        for words in [["elect"] + store + ["--", "true"], ["run", "--admin", "off"] + store] {
            let run = try await LapseBinary.run(words)
            #expect(run.code == 77, "\(run.errors)")
            #expect(run.lastLine.hasPrefix("lapse: --store: refused"), "\(run.errors)")
            #expect(!run.errors.contains("wrong-word"))
        }
        await server.shutDown()
    }

    @Test func aStoreThatIsNotThereIs69InTheEnd() async throws {
        let run = try await LapseBinary.run(
            ["elect", "--store", "etcd://127.0.0.1:1", "--startup-timeout", "1s", "--", "true"])
        #expect(run.code == 69 && run.lastLine.hasPrefix("lapse: --store: unreachable"), "\(run.errors)")
    }

    @Test func aStoreThatIsNotThereIsWaitedFor() async throws {
        let child = try LapseBinary.start(
            ["elect", "--store", "etcd://127.0.0.1:1", "--lease-ttl", "1s", "--", "true"])
        try await waitUntil("it says so", within: .seconds(20)) {
            child.text.errors.contains("unreachable") ? nil : child.text.errors
        }
        child.signal(SIGTERM)
        let run = try await child.end()
        #expect(run.code == 0 && run.output.isEmpty, "\(run)")
    }
}
