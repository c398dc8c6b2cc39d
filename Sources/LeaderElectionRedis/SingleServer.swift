package import RESP
package import RedisClient

/// One independent server of a classic Redlock.
package struct SingleServer: ScriptRunner {
    private let client: NodeClient

    package init(_ client: NodeClient) { self.client = client }

    package func run(
        _ script: Script, keys: [String], arguments: [[UInt8]], timeout: Duration
    ) async throws(RedisError) -> RESPValue {
        var inFull = false
        while true {
            let replies = try await client.send(
                script.commands(keys: keys.map { Array($0.utf8) }, arguments: arguments, inFull: inFull),
                timeout: timeout)
            let reply = script.learn(from: replies)
            guard case .error(let error) = reply else { return reply }
            guard Redirection(error) == .sendScript, !inFull else { throw RedisError(error, node: client.address) }
            inFull = true
        }
    }

    package func node(for key: String) -> NodeAddress? { client.address }
}
