import Foundation
import Testing
import ThrowawayRedis

/// What `lapse doctor` prints as a fix is run by a shell as it stands, and the finding is gone: against
/// a cluster that is protected in every way, with real processes.
@Suite(.timeLimit(.minutes(3)), .serialized) struct PrintedFixTests {
    private struct Report: Decodable {
        struct Finding: Decodable {
            var check: String
            var node: String?
            var detail: String
            var fix: String?
        }
        var findings: [Finding]
    }

    /// A cluster that answers TLS with certificates of an authority of its own to clients that show one,
    /// and how Lapse gets in as a user whose password is in a file.
    private final class Protected: Sendable {
        let certificates: ThrowawayCertificates
        let cluster: ThrowawayCluster
        /// Its path has a blank and a quotation mark.
        let folder: URL
        let password: URL

        init() async throws {
            certificates = try await ThrowawayCertificates.make()
            folder = FileManager.default.temporaryDirectory.appending(path: "lapse test's \(UUID().uuidString)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            password = folder.appending(path: "password")
            try Data("s3cret$word\n".utf8).write(to: password)
            var options = ClusterOptions()
            options.server.tls = certificates.tls(requiresClientCertificate: true)
            options.server.users = ["user lapse on >s3cret$word ~* &* +@all"]
            cluster = try await ThrowawayCluster.start(options)
        }

        func remove() async {
            await cluster.shutDown()
            certificates.remove()
            try? FileManager.default.removeItem(at: folder)
        }

        var options: [String] {
            [
                "--redis", "rediss://lapse@\(cluster.nodes[0].address)", "--redis-password-file", password.path,
                "--tls-ca", certificates.authority.certificate.path, "--tls-cert",
                certificates.client.certificate.path, "--tls-key", certificates.client.key.path, "--announced", "ip",
                "--name", "clinic",
            ]
        }

        func examine(_ more: [String] = []) async throws -> [Report.Finding] {
            let run = try await LapseBinary.run(["doctor", "--json"] + options + more)
            #expect(!run.output.contains("s3cret") && !run.errors.contains("s3cret"))
            do { return try JSONDecoder().decode(Report.self, from: Data(run.output.utf8)).findings } catch {
                throw ThrowawayRedisError("no report: \(run)")
            }
        }
    }

    /// A shell of an operator, with nothing in its environment that helps.
    private func paste(_ command: String) async throws -> (code: Int32, text: String) {
        let process = Process()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = ["-c", command]
        process.environment = ["PATH": "/usr/bin:/bin"]
        let (answers, output) = (Pipe(), Pipe())
        process.standardInput = answers
        process.standardOutput = output
        process.standardError = output
        try process.run()
        // `redis-cli --cluster fix` asks before it gives a slot to a node.
        try answers.fileHandleForWriting.write(contentsOf: Data("yes\n".utf8))
        try answers.fileHandleForWriting.close()
        let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, text)
    }

    private static let needless = "Adding a pattern after the * pattern"

    /// The command of a fix; in some it stands behind another way to mend it.
    private func command(_ fix: String) throws -> String {
        let start = try #require(fix.firstRange(of: "REDISCLI_AUTH=$(cat ")?.lowerBound, "\(fix)")
        #expect(start == fix.startIndex || fix[..<start].hasSuffix(": "), "\(fix)")
        return String(fix[start...])
    }

    /// Spoils, sees the finding, pastes its fix, and sees it gone.
    private func mend(
        _ place: Protected, _ check: String, at node: ThrowawayServer? = nil, spoil: () async throws -> Void
    ) async throws {
        func found() async throws -> [Report.Finding] {
            try await place.examine().filter { $0.check == check && (node == nil || $0.node == node?.address) }
        }
        #expect(try await found().isEmpty, "\(check): it is there before")
        try await spoil()
        var before: [Report.Finding] = []
        try await waitUntil("\(check) is found", within: .seconds(30)) {
            before = try await found()
            return before.isEmpty ? "it is not" : nil
        }
        for finding in before {
            let fix = try command(try #require(finding.fix, "\(finding)"))
            let answer = try await paste(fix)
            let refusal = answer.text.split(separator: "\n").first {
                // Of a pattern beside one for all the finding itself says that it is not needed.
                $0.contains(/^(ERR|NOPERM|NOAUTH|WRONGPASS|\(error\))/)
                    && !($0.contains(Self.needless) && finding.detail.contains(Self.needless))
            }
            #expect(answer.code == 0 && refusal == nil, "\(fix): \(answer)")
        }
        try await waitUntil("\(check) is mended", within: .seconds(30)) {
            let left = try await found()
            return left.isEmpty ? nil : "\(left), after \(before.map(\.fix))"
        }
    }

    @Test("in a cluster with TLS and a user of its own, each fix works as it is printed")
    func fixesWorkAsPrinted() async throws {
        let place = try await Protected()
        let (cluster, node) = (place.cluster, place.cluster.nodes[1])
        try await mend(place, "notifications", at: node) {
            try await node.cli("CONFIG", "SET", "notify-keyspace-events", "K$")
        }
        try await mend(place, "output-buffer", at: node) {
            try await node.cli("CONFIG", "SET", "client-output-buffer-limit", "pubsub 65536 0 0")
        }
        try await mend(place, "eviction", at: node) {
            try await node.cli("CONFIG", "SET", "maxmemory", "1gb")
            try await node.cli("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        }
        try await mend(place, "permissions", at: node) {
            try await node.cli("ACL", "SETUSER", "lapse", "resetchannels", "&__redis__:*")
        }
        let (master, other) = (try await cluster.masters()[0], try await cluster.masters()[1])
        try await mend(place, "min-replicas", at: master) {
            try await master.cli("CONFIG", "SET", "min-replicas-to-write", "5")
        }
        // By the words behind `redis-cli --cluster`, which go to every node.
        try await mend(place, "slots") {
            let slot = try #require(try await cluster.slots(of: master).last).upperBound
            for node in cluster.nodes { try await node.cli("CLUSTER", "DELSLOTS", "\(slot)") }
        }
        let dead = try #require(try await cluster.replicas(of: other).first)
        try await mend(place, "slots", at: dead) { await dead.kill() }
        await place.remove()
    }

    @Test("the text for people has the commands on lines of their own, unbroken")
    func theTextIsForPasting() async throws {
        let place = try await Protected()
        let node = place.cluster.nodes[2]
        try await node.cli("CONFIG", "SET", "notify-keyspace-events", "")
        let run = try await LapseBinary.run(["doctor"] + place.options)
        #expect(run.code == 1, "\(run)")
        let lines = run.output.split(separator: "\n").filter {
            $0.contains("fix: ") && $0.contains("CONFIG SET notify")
        }
        #expect(lines.count == 1, "\(run.output)")
        let fix = try #require(lines.first?.firstRange(of: "fix: ")).upperBound
        let answer = try await paste(String(try #require(lines.first)[fix...]))
        #expect(answer.code == 0 && answer.text == "OK\n", "\(answer)")
        #expect(try await place.examine().allSatisfy { $0.check != "notifications" })
        await place.remove()
    }
}
