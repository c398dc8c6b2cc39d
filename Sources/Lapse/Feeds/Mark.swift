import RESP
package import RedisClient

/// Reads a node's count of expirations at an exact place of its stream: INFO and PUBLISH in one step on
/// the node. What is published is a ``HeardMark``, and tells the count to all replicas.
///
/// A script, since a server whose memory is full refuses MULTI, but not this; MULTI where scripts are
/// refused. Marks are rare, since a cluster passes each PUBLISH on to every node.
package enum Mark {
    /// ARGV: channel, run ID, nonce. No keys, and no flags: a script declared as read-only may not publish.
    private static let script = """
        local info = redis.call('INFO', 'stats')
        local count = string.match(info, 'expired_keys:(%d+)') or ''
        redis.call('PUBLISH', ARGV[1], '\(HeardMark.prefix)' .. ARGV[2] .. ':' .. count .. ':' .. ARGV[3])
        return info
        """

    /// - Parameter runID: of the process that is listened to. Another one's count would number what it
    ///   never announced.
    package static func take(
        nonce: String, channel: String, on node: NodeClient, of runID: String
    ) async throws(RedisError) -> UInt64 {
        let process = ServerIdentity.process(runID)
        let eval = RESPCommand("EVAL", script, "0", channel, runID, nonce)
        let reply = try await node.send([eval], to: process).first ?? .null
        // Only a refusal has surely not published: what was not answered in time may have.
        guard case .error(let refusal) = reply else { return try counter(reply, node) }
        do throws(RedisError) {
            let mark = HeardMark(runID: runID, counter: nil, nonce: nonce)
            return try await takeInTransaction(mark, channel, node, process)
        } catch {
            throw RedisError(error.kind, node: node.address, "EVAL: \(refusal.text); MULTI: \(error.text)")
        }
    }

    private static func takeInTransaction(
        _ mark: HeardMark, _ channel: String, _ node: NodeClient, _ process: ServerIdentity
    ) async throws(RedisError) -> UInt64 {
        let replies = try await node.send(
            [
                RESPCommand("MULTI"), RESPCommand("INFO", "stats"), RESPCommand("PUBLISH", channel, mark.text),
                RESPCommand("EXEC"),
            ], to: process)
        for reply in replies {
            if case .error(let error) = reply, error.code != "EXECABORT" { throw RedisError(error, node: node.address) }
        }
        guard let results = replies.last?.array, let info = results.first else {
            throw RedisError(.protocolViolation, node: node.address, "EXEC gave no results")
        }
        if case .error(let error) = info { throw RedisError(error, node: node.address) }
        return try counter(info, node)
    }

    private static func counter(_ info: RESPValue, _ node: NodeClient) throws(RedisError) -> UInt64 {
        guard let counter = infoCount("expired_keys", in: info) else {
            let text = infoField("expired_keys", in: info).map { "\($0.prefix(40)), which cannot be true" }
            throw RedisError(
                .protocolViolation, node: node.address, "INFO stats names expired_keys \(text ?? "nowhere")")
        }
        return counter
    }
}
