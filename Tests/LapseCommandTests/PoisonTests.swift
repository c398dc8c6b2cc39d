import Foundation
import Glibc
import Testing
import ThrowawayRedis

/// Row 88: a key over which leaders die becomes a dead letter, and all others are handled.
@Suite(.timeLimit(.minutes(4)), .serialized) struct PoisonTests {
    /// How the workers are told of keys, and how many beside the poison.
    enum Handling: String, CaseIterable {
        /// A program for each, which kills the worker that started it.
        case exec
        /// One program, with many keys on their way to it when it kills its worker.
        case execStream

        var others: Int { self == .exec ? 200 : 9_999 }

        var options: (option: String, concurrency: Int) {
            self == .exec ? ("--exec", 8) : ("--exec-stream", 64)
        }

        /// What kills does not come back: an answer that the worker reads before it is killed would acquit the
        /// key.
        func script(_ done: String) -> String {
            switch self {
            case .exec:
                """
                [ "$LAPSE_KEY" != poison ] || { kill -TRAP $PPID; exec sleep 60; }
                echo $LAPSE_KEY >> \(done)
                """
            case .execStream:
                """
                exec 3>>\(done)
                while read -r line; do
                  id=${line#*\\"id\\":\\"}; id=${id%%\\"*}
                  key=${line#*\\"key\\":\\"}; key=${key%%\\"*}
                  [ "$key" != poison ] || { kill -TRAP $PPID; exec sleep 60; }
                  echo "$key" >&3
                  echo "$id"
                done
                """
            }
        }
    }

    @Test(arguments: Handling.allCases) func onlyThePoisonIsADeadLetter(_ handling: Handling) async throws {
        let server = try await ThrowawayServer.start()
        let program = FileManager.default.temporaryDirectory.appending(path: "poison-\(UUID()).sh")
        let done = program.path + ".done"
        defer { for path in [program.path, done] { try? FileManager.default.removeItem(atPath: path) } }
        try Data(handling.script(done).utf8).write(to: program)
        let (option, concurrency) = handling.options
        // Longer than a worker takes to come back on a busy machine: what all three had heard is gone when all
        // are dead at once.
        let replicas = try ["one", "two", "three"].map { id in
            try LapseBinary.start([
                "run", "--redis", server.url, "--id", id, "--admin", "off", "--supervise", "on", "--lease-ttl", "6s",
                option, "sh \(program.path)", "--dead-letter", "letters", "--concurrency", "\(concurrency)",
                "--log-level", "info",
            ])
        }
        func lines(_ text: String) -> Int { replicas.reduce(0) { $0 + $1.text.errors.matches(text) } }
        try await waitUntil("one leads", within: .seconds(30)) { lines("became leader") > 0 ? nil : "none" }
        // What only the first that dies had heard would be lost with it.
        try await waitUntil("all listen", within: .seconds(30)) {
            replicas.allSatisfy { $0.text.errors.contains(" subscribed ") } ? nil : "not yet"
        }
        let others = (0..<handling.others).map { "k:\($0)" }
        let before = handling.others / 4
        try await server.script(others.prefix(before).map { "SET \($0) v PX 20" })
        // Written down before a leader dies: by that a worker that comes back knows what to copy from the
        // others.
        try await waitUntil("their progress is written", within: .seconds(30)) {
            let keys = try await server.cli("KEYS", "*:progress")
            let fields = try await server.cli("HKEYS", keys.trimmingCharacters(in: .newlines))
            return fields.contains("log:") ? nil : fields
        }
        let middle = before + (handling.others - before) / 2
        try await server.script(
            others[before..<middle].map { "SET \($0) v PX 20" } + ["SET poison v PX 20"]
                + others[middle...].map { "SET \($0) v PX 20" })
        try await waitUntil("it is a dead letter", within: .seconds(120)) {
            try await server.cli("XRANGE", "letters", "-", "+").contains("poison")
                ? nil : "\(lines("by signal")) deaths; \(replicas.map { $0.text.errors.suffix(1_500) })"
        }
        try await waitUntil("all others are handled", within: .seconds(60), every: .milliseconds(250)) {
            let handled = try String(contentsOfFile: done, encoding: .utf8).split(separator: "\n").map(String.init)
            let missing = Set(others).subtracting(handled)
            return missing.isEmpty ? nil : "\(missing.count) are missing"
        }
        #expect(try await server.cli("XLEN", "letters").hasPrefix("1"))
        let logs = replicas.map(\.text.errors)
        #expect(lines("by signal") <= 6, "\(logs)")
        for child in replicas {
            child.signal(SIGTERM)
            #expect(try await child.end().code == 0)
        }
        await server.shutDown()
    }
}
