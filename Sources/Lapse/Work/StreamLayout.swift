package import ExpirationStream
import RESP
package import RedisClient

/// How many partitions a stream has, as its writer has noted beside it.
package enum StreamLayout {
    /// - Returns: the keys; a stream without a layout has one partition.
    /// - Throws: also for a layout that cannot be true, or is of another version.
    package static func read(_ stream: String, over client: KeyedClient) async throws(RedisError) -> StreamKeys {
        guard let own = try? StreamKeys(stream) else { throw impossible("\(stream) is no key of a stream") }
        let reply = try await client.send(RESPCommand("HMGET", own.layout, "format", "partitions"), key: own.layout)
        guard let facts = reply.array, facts.count == 2, !facts[0].isNull || !facts[1].isNull else { return own }
        guard facts[0].int == 1 else {
            throw impossible(
                "the layout in \(own.layout) is not of this version: use the same build of lapse for writer and workers"
            )
        }
        guard let count = facts[1].int, let keys = try? StreamKeys(stream, partitions: Int(clamping: count)) else {
            throw impossible("the layout in \(own.layout) names no number of partitions that can be true")
        }
        return keys
    }

    private static func impossible(_ text: String) -> RedisError { RedisError(.protocolViolation, node: nil, text) }
}
