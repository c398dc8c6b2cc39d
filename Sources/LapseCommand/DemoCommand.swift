import ArgumentParser
import Demonstration

/// `lapse demo`: everything at once, on this machine, thrown away at the end.
struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Start a throwaway cluster and three replicas, kill the leader, and settle the account.",
        discussion: """
            Needs redis-server and redis-cli on the PATH, and takes about half a minute. Exit code 0 when no expiration \
            was lost.
            """)

    func run() async throws {
        let code = try await Demo.toItsEnd()
        guard code == 0 else { throw ExitCode(code) }
    }
}
