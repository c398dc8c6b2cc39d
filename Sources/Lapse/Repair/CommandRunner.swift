package import RESP
package import RedisClient

/// What can run a command or a script where a key lives.
package protocol CommandRunner: Sendable {
    func send(_ command: RESPCommand, key: String) async throws(RedisError) -> RESPValue
    func run(_ script: Script, keys: [String], arguments: [[UInt8]]) async throws(RedisError) -> RESPValue
}

extension KeyedClient: CommandRunner {
    package func send(_ command: RESPCommand, key: String) async throws(RedisError) -> RESPValue {
        try await send(command, key: key, timeout: .seconds(2))
    }

    package func run(_ script: Script, keys: [String], arguments: [[UInt8]]) async throws(RedisError) -> RESPValue {
        try await run(script, keys: keys, arguments: arguments, timeout: .seconds(2))
    }
}
