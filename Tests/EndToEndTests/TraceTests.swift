import Chaos
import Foundation
import LeaderElectionRedis
import Testing
import ThrowawayRedis

/// `lapse trace` of real processes.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct TraceTests {
    private let keys = ElectionKeys.registers(1, name: "traced")[0]

    private func trace(_ arguments: [String], on server: ThrowawayServer) async throws -> Binary.Answer {
        try await Binary.run(["trace", "--redis", server.url, "--name", "traced"] + arguments)
    }

    @Test("a key that was handled twice after SIGKILL of the leader shows both terms; a failing one its errors")
    func handledTwice() async throws {
        let server = try await ThrowawayServer.start()
        let folder = FileManager.default.temporaryDirectory.appending(path: "lapse-trace-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let script = folder.appending(path: "handle")
        // The first one to handle `twice` never ends.
        try """
        #!/bin/sh
        case "$LAPSE_KEY" in
        bad) exit 3 ;;
        twice) mkdir '\(folder.path)/first' 2>/dev/null && exec sleep 600 ;;
        esac
        exit 0
        """.write(to: script, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: script.path)
        let group = try await ReplicaGroup.start(
            binary: Binary.lapse, redis: server.url, name: "traced", leaseTTL: .seconds(2), nodes: 1,
            extra: ["--retries", "1"], handler: ["--exec", script.path])
        do {
            let old = try await group.leader()
            try await server.script(["SET twice v PX 20", "SET plain v PX 20", "SET bad v PX 20"])
            try await waitUntil("the progress tells that it is begun", within: .seconds(20)) {
                let fields = try await server.cli("HVALS", keys.progress)
                let progress = fields.split(separator: "\n").first { $0.split(separator: " ").count == 6 }
                let isBegun = progress.map { !$0.hasSuffix(" -") } ?? false
                let isFirst = FileManager.default.fileExists(atPath: folder.appending(path: "first").path)
                return isBegun && isFirst ? nil : fields
            }
            try await waitUntil("the bad one is given up", within: .seconds(20)) {
                old.log.contains("dead-lettered") ? nil : "not yet"
            }
            let bad = try await trace(["bad"], on: server)
            #expect(bad.code == 0)
            #expect(bad.text.contains("\(old.id), term 1: failed, attempt 1: "), "\(bad.text)")
            #expect(bad.text.contains("ended with exit code 3"), "\(bad.text)")
            #expect(bad.text.contains("\(old.id), term 1: dead-lettered, attempt 2"), "\(bad.text)")
            await old.kill()
            let new = try await group.leader()
            try await waitUntil("the next leader has handled it", within: .seconds(20)) {
                let answer = try await trace(["twice"], on: server)
                return answer.text.contains("\(new.id), term 2: handled, attempt 1") ? nil : answer.text
            }
            let twice = try await trace(["twice"], on: server)
            #expect(twice.code == 0)
            let story = """
                \(old.id), term 1: taken up, outcome unknown (found by \(new.id))
                """
            #expect(twice.text.contains(story), "\(twice.text)")
            #expect(twice.text.contains("\(new.id), term 2: handed out, attempt 1"), "\(twice.text)")
            #expect(twice.text.contains("finished, says the leader's progress"), "\(twice.text)")
            let plain = try await trace(["--json", "plain"], on: server)
            #expect(plain.text.contains("\"what\" : \"finished, says its progress\""), "\(plain.text)")
            let unknown = try await trace(["--key-base64", "/wA="], on: server)
            #expect(unknown.code == 1 && unknown.text.contains("no replica can tell of it"), "\(unknown.text)")
            // A forged message has no question beside it: nothing is answered, nothing stays, and true ones are.
            try await server.script((0..<300).map { "PUBLISH lapse:traced trace:v1:forged\($0)p0.1" })
            #expect(try await trace(["plain"], on: server).code == 0)
            let left = try await server.cli("KEYS", "*:repair:*")
            #expect(left.isEmpty, "\(left)")
        } catch {
            await group.shutDown()
            await server.shutDown()
            throw error
        }
        await group.shutDown()
        await server.shutDown()
    }
}
