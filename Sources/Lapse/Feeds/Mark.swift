import RESP
import RedisClient

/// Reads a node's count of expirations at an exact place of its stream.
///
/// `MULTI; INFO stats; PUBLISH; EXEC` is one step on the node: the nonce arrives in the feed behind exactly the
/// expirations that the counter has counted. A PUBLISH travels to every node of a cluster, so marks are rare.
enum Mark {
    static func take(nonce: String, channel: String, on node: NodeClient) async throws(RedisError) -> UInt64 {
        let replies = try await node.send([
            RESPCommand("MULTI"), RESPCommand("INFO", "stats"), RESPCommand("PUBLISH", channel, nonce),
            RESPCommand("EXEC"),
        ])
        for reply in replies {
            if case .error(let error) = reply, error.code != "EXECABORT" { throw RedisError(error, node: node.address) }
        }
        guard let results = replies.last?.array, let info = results.first else {
            throw RedisError(.protocolViolation, node: node.address, "EXEC gave no results")
        }
        if case .error(let error) = info { throw RedisError(error, node: node.address) }
        guard let counter = infoCount("expired_keys", in: info) else {
            let text = infoField("expired_keys", in: info).map { "\($0.prefix(40)), which cannot be true" }
            throw RedisError(
                .protocolViolation, node: node.address, "INFO stats names expired_keys \(text ?? "nowhere")")
        }
        return counter
    }
}
