import RESP
import RedisClient

/// Reads a node's count of expirations at an exact place of its stream.
///
/// `MULTI; INFO stats; PUBLISH; EXEC` is one step on the node: the nonce arrives in the feed behind exactly the
/// expirations that the counter has counted. A PUBLISH travels to every node of a cluster, so marks are rare.
enum Mark {
    /// - Parameter runID: of the process that is listened to. Another one's count would number what it never announced.
    static func take(
        nonce: String, channel: String, on node: NodeClient, of runID: String
    ) async throws(RedisError) -> UInt64 {
        let replies = try await node.send(
            [
                RESPCommand("MULTI"), RESPCommand("INFO", "stats"), RESPCommand("PUBLISH", channel, nonce),
                RESPCommand("EXEC"),
            ], to: .process(runID))
        for reply in replies {
            if case .error(let error) = reply, error.code != "EXECABORT" { throw RedisError(error, node: node.address) }
        }
        guard let results = replies.last?.array, let info = results.first else {
            throw RedisError(.protocolViolation, node: node.address, "EXEC gave no results")
        }
        if case .error(let error) = info { throw RedisError(error, node: node.address) }
        guard let counter = infoField("expired_keys", in: info).flatMap({ UInt64($0) }) else {
            throw RedisError(.protocolViolation, node: node.address, "INFO stats names no expired_keys")
        }
        return counter
    }
}
