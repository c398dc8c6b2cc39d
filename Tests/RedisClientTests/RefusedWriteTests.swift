import RESP
import RedisClient
import Testing

/// What 6.2, 7.0, 8.2 and Valkey 9.1 say, from servers of these versions.
struct RefusedWriteTests {
    @Test(arguments: [
        (
            "OOM command not allowed when used memory > 'maxmemory'.",
            "OOM command not allowed when used memory > 'maxmemory'."
        ),
        (
            "OOM command not allowed when used memory > 'maxmemory'. script: 08be99c7, on @user_script:1.",
            "OOM command not allowed when used memory > 'maxmemory'."
        ),
        (
            "ERR Error running script (call to f_08be99c7): @user_script:1: @user_script: 1: -OOM command not allowed when "
                + "used memory > 'maxmemory'.\r\n", "OOM command not allowed when used memory > 'maxmemory'."
        ),
        (
            "NOREPLICAS Not enough good replicas to write. script: on @user_script:1.",
            "NOREPLICAS Not enough good replicas to write."
        ),
        ("MISCONF Redis is configured to save RDB snapshots", "MISCONF Redis is configured to save RDB snapshots"),
        ("MISCONF Valkey is configured to save RDB snapshots", "MISCONF Valkey is configured to save RDB snapshots"),
    ])
    func isTold(_ text: String, _ words: String) {
        #expect(RefusedWrite(text)?.words == words)
        #expect(RefusedWrite(RedisError(RESPError(text), node: nil))?.words == words)
    }

    @Test(arguments: [
        "", "ERR unknown command", "READONLY You can't write against a read only replica.", "MOVED 1 h:1",
    ])
    func othersAreNot(_ text: String) { #expect(RefusedWrite(text) == nil) }
}
