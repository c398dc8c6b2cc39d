import ThrowawayRedis

/// A known number of real expirations at once: nothing is published by hand, so every number that Redis
/// counts is true.
///
/// Redis' own expiry is switched off while the keys are loaded. Then a SCAN over all of them makes the
/// server expire each as it comes to it, faster than its own cycle would (about 500 000 against 200 000
/// a second).
struct ExpirationBurst {
    let server: ThrowawayServer
    /// The length of a key.
    var keyBytes = 24

    /// Keys that have run out by the time this returns. `tag` puts all of them in one slot.
    func load(_ count: Int, tag: String = "bench") async throws {
        try await server.cli("DEBUG", "SET-ACTIVE-EXPIRE", "0")
        let script = """
            for i = ARGV[1], ARGV[2] do
                redis.call('SET', string.format('{%s}:%0' .. ARGV[3] - 3 - #KEYS[1] .. 'd', KEYS[1], i), '', 'PX', 1)
            end
            """
        var first = 1
        while first <= count {
            let last = min(first + 49_999, count)
            try await server.cli(
                ["EVAL", script, "1", tag, "\(first)", "\(last)", "\(keyBytes)"], within: .seconds(30))
            first = last + 1
        }
        try await Task.sleep(for: .milliseconds(10))
    }

    /// The name of a key of ``load(_:tag:)`` with 24 bytes.
    static func key(_ number: Int, tag: String = "bench") -> String {
        let digits = String(number)
        return "{\(tag)}:" + String(repeating: "0", count: max(0, self.digits(tag: tag) - digits.count)) + digits
    }

    /// How long the number in a key is.
    static func digits(tag: String) -> Int { 21 - tag.utf8.count }

    /// Expires all of them; returns when Redis has. The server keeps the cursor of the SCAN, so that one
    /// redis-cli can repeat one command.
    func release(_ count: Int) async throws {
        let all = try await announced() + count
        let step = """
            local step = redis.call('SCAN', redis.call('GET', KEYS[1]) or '0', 'COUNT', 1000)
            if step[1] == '0' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], step[1]) end
            """
        while try await announced() < all {
            let steps = "\(count / 1000 / 4 + 1)"
            try await server.cli(["-r", steps, "EVAL", step, "1", "bench:cursor"], within: .seconds(60))
        }
    }

    /// Lets the server expire them by itself.
    func releaseSlowly() async throws { try await server.cli("DEBUG", "SET-ACTIVE-EXPIRE", "1") }

    /// How many it has expired since it started.
    func announced() async throws -> Int { try await server.info("expired_keys").flatMap { Int($0) } ?? 0 }

    /// Options of a server for this.
    static var server: ServerOptions {
        var options = ServerOptions()
        // The burst is as large as the default limit; a subscriber that falls behind is to be seen, not cut
        // off.
        options.extra = ["enable-debug-command yes", "client-output-buffer-limit pubsub 0 0 0"]
        return options
    }
}
