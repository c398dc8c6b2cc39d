import RESP
package import RedisClient

/// How many databases a server has: its counter of expirations covers them all, so all are listened to.
///
/// CONFIG tells, where it is permitted; else SELECT does, which is undone in the same write. Channels
/// of databases that do not exist cost next to nothing, so the answer need not be exact; one too small
/// would leave counted expirations unheard.
package enum DatabaseCount {
    /// What is assumed where nothing can be learned.
    static let assumed = 1024
    /// The most that are listened to: `--database` names no higher one.
    static let limit = Int(UInt16.max) + 1
    /// Redis' own default, for a single server.
    private static let least = 16
    private static let probes = [1] + (4...16).map { (1 << $0) - 1 }

    /// A cluster of Redis has one database, one of Valkey 9 as many as a setting of its own says.
    static func questions(isCluster: Bool) -> [RESPCommand] {
        (isCluster ? ["databases", "cluster-databases"] : ["databases"]).map { RESPCommand("CONFIG", "GET", $0) }
    }

    /// What the answers to ``questions(isCluster:)`` tell; nil where they tell nothing.
    static func told(by answers: [RESPValue], isCluster: Bool) -> Int? {
        let told = answers.map { $0.array?.last?.string.flatMap { Int($0) } }
        guard let first = told.first, let databases = first else { return nil }
        // A server that answers for the one setting and not for the other does not have the other.
        let count = isCluster ? told.last.flatMap(\.self) ?? 1 : databases
        return told.count == (isCluster ? 2 : 1) ? min(max(count, 1), limit) : nil
    }

    static func trials(backTo database: Int) -> [RESPCommand] {
        (probes + [database]).map { RESPCommand("SELECT", "\($0)") }
    }

    /// What the answers to ``trials(backTo:)`` tell: the first that is refused bounds the number.
    static func bound(_ answers: [RESPValue], isCluster: Bool) -> Int {
        for (probe, answer) in zip(probes, answers) {
            guard let error = answer.error else { continue }
            // Not permitted, or not known: that says nothing about databases.
            if error.code == "NOPERM" || error.text.contains("unknown command") { return assumed }
            return isCluster ? probe : max(probe, least)
        }
        return limit
    }

    /// The databases to listen to. A wanted one is heard whatever is known of their number.
    package static func heard(of count: Int, wanted: [Int]) -> [Int] {
        Array(0..<count) + Set(wanted).filter { $0 >= count }.sorted()
    }

    /// Asks a server, on a connection whose database is `selected`.
    package static func ask(
        _ client: NodeClient, to identity: ServerIdentity?, isCluster: Bool
    ) async throws(RedisError) -> Int {
        let answers = try await client.send(questions(isCluster: isCluster), to: identity)
        if let count = told(by: answers, isCluster: isCluster) { return count }
        let trials = try await client.send(trials(backTo: client.settings.database), to: identity)
        return bound(trials, isCluster: isCluster)
    }
}
