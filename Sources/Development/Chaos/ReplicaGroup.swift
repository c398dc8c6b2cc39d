package import Foundation
package import ThrowawayRedis

/// The replicas of one election.
package final class ReplicaGroup: Sendable {
    package let replicas: [ThrowawayReplica]
    private let nodes: Int
    /// The election's name.
    package static let name = "chaos"
    /// The replicas' user on the nodes of a stage; all other clients come as the default user.
    static let user = "lapse"
    static let userLine = "user lapse on >chaos ~* &* +@all"
    /// All of them: one that begins while a node is down must find the others.
    static func urls(_ nodes: [ThrowawayServer]) -> String {
        nodes.map { "redis://lapse:chaos@\($0.address)" }.joined(separator: ",")
    }

    /// Starts `count` replicas.
    ///
    /// - Parameters:
    ///   - leaseTTL: `--lease-ttl`.
    ///   - nodes: how many nodes a replica subscribes to when it is ready.
    package static func start(
        _ count: Int = 3, binary: String, redis: String, name: String = ReplicaGroup.name, leaseTTL: Duration,
        nodes: Int,
        extra: [String] = [], handler: [String] = ["--handler", "ndjson"],
        isSupervised: Bool = ThrowawayReplica.isSupervisedByDefault, hasReaders: Bool = false
    ) async throws -> ReplicaGroup {
        let milliseconds = leaseTTL.components.seconds * 1000 + leaseTTL.components.attoseconds / 1_000_000_000_000_000
        let arguments =
            ["--redis", redis, "--name", name, "--lease-ttl", "\(milliseconds)ms", "--admin", "127.0.0.1:0"] + extra
        let replicas = try (0..<count).map { index in
            try ThrowawayReplica(
                id: String(UnicodeScalar(UInt8(ascii: "a") + UInt8(index))), binary: binary, arguments: arguments,
                handler: handler, isSupervised: isSupervised, hasReader: hasReaders)
        }
        let group = ReplicaGroup(replicas, nodes: nodes)
        for replica in replicas { try await replica.start() }
        for replica in replicas { try await group.waitUntilReady(replica, starts: 1) }
        return group
    }

    private init(_ replicas: [ThrowawayReplica], nodes: Int) {
        self.replicas = replicas
        self.nodes = nodes
    }

    /// Waits until a replica that was started `starts` times listens to every node.
    package func waitUntilReady(_ replica: ThrowawayReplica, starts: Int, nodes: Int? = nil) async throws {
        let nodes = nodes ?? self.nodes
        try await waitUntil("replica \(replica.id) listens to every node", within: .seconds(30)) {
            guard replica.isRunning else {
                return "it ended with \(replica.exitCode ?? -1): \(replica.log.suffix(600))"
            }
            let current = replica.log.components(separatedBy: "found Redis").dropFirst(starts).first ?? ""
            let count = current.split(separator: "\n").count { $0.contains(" subscribed") }
            return count >= nodes ? nil : "\(count) of \(nodes)"
        }
    }

    /// Starts one that has ended, and waits until it listens to every node that is there.
    package func startAgain(_ replica: ThrowawayReplica, nodes: Int? = nil, binary: String? = nil) async throws {
        let starts = replica.count(of: "found Redis") + 1
        try await replica.start(binary: binary)
        try await waitUntilReady(replica, starts: starts, nodes: nodes)
    }

    /// The replica that became leader last, once one has.
    package func leader() async throws -> ThrowawayReplica {
        var found: ThrowawayReplica?
        try await waitUntil("a replica leads", within: .seconds(40)) {
            found = replicas.filter(\.isRunning).first { leads($0) }
            return found == nil ? "none does" : nil
        }
        guard let found else { throw ThrowawayRedisError("no replica leads") }
        return found
    }

    /// Whether its last word is that it leads.
    package func leads(_ replica: ThrowawayReplica) -> Bool {
        let lines = replica.log.split(separator: "\n")
        guard let began = lines.lastIndex(where: { $0.contains("became leader") }) else { return false }
        let ends = ["leadership lost", "leadership released", "lapse: parent: the worker"]
        return !lines[began...].contains { line in ends.contains { line.contains($0) } }
    }

    /// How many lines of all logs carry this message.
    package func count(of message: String) -> Int { replicas.reduce(0) { $0 + $1.count(of: message) } }

    /// The keys that any replica handled.
    package var handledKeys: Set<String> { Set(replicas.lazy.flatMap(\.handled).map(\.key)) }

    /// What the replicas say is lost.
    package var reported: ReportedLoss { ReportedLoss(replicas.map(\.log)) }

    /// Everything that any replica handled, by time.
    package var handled: [ThrowawayReplica.Handled] {
        replicas.flatMap(\.handled).map { ($0.time, $0) }.sorted { $0.0 < $1.0 }.map(\.1)
    }

    /// Copies every replica's log and output into a folder.
    package func copyLogs(to folder: URL) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for replica in replicas {
            try Data(replica.log.utf8).write(to: folder.appending(path: "\(replica.id).log"))
        }
    }

    package func shutDown() async {
        for replica in replicas where replica.isRunning { await replica.kill() }
    }
}
