import ThrowawayRedis

/// A known number of entries that come into a stream at once, as `lapse run --stream` writes them.
///
/// Scripts append them, so that the server adds tens of thousands before a worker has its turn.
struct StreamBurst {
    let server: ThrowawayServer
    let key = "bench"
    let group = "workers"

    func fill(_ count: Int) async throws {
        let script = """
            local run = string.rep('a', 40)
            for i = ARGV[1], ARGV[2] do
                local number = string.format('%d', i)
                redis.call('XADD', KEYS[1], '*', 'id', run .. '-' .. number, 'key', string.format('{bench}:%016d', i),
                    'database', '0', 'node', '127.0.0.1:6379', 'runId', run, 'ordinal', number, 'origin', 'live',
                    'term', '1', 'token', '1')
            end
            """
        var first = 1
        while first <= count {
            let last = min(first + 49_999, count)
            try await server.cli(["EVAL", script, "1", key, "\(first)", "\(last)"], within: .seconds(30))
            first = last + 1
        }
    }

    /// Whether a worker waits for entries.
    func isRead() async throws -> Bool { try await server.cli("CLIENT", "LIST").contains("cmd=xreadgroup") }

    /// Entries that are delivered, and not acknowledged.
    func pending() async throws -> Int {
        let reply = try await server.cli("XPENDING", key, group)
        guard let count = Int(reply.prefix { $0 != "\n" }) else {
            throw ThrowawayRedisError("strange answer to XPENDING: \(reply)")
        }
        return count
    }
}
