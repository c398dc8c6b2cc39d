import ArgumentParser
import Foundation
import Glibc
import ThrowawayRedis

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
        // Before anything is printed: stdout that cannot be written interrupts as a terminal does.
        let ending = StopRequest()
        let trap = SignalTrap { _ in ending.ask() }
        // A task of its own, awaited below, so that a signal can cancel it.
        let demo = Task { try await Demo().run() }
        ending.onAsk { demo.cancel() }
        do {
            let account = try await demo.value
            guard account.lost.isEmpty else { throw ExitCode(Failure.Code.negative.rawValue) }
        } catch let error where trap.signal != nil {
            guard error is CancellationError || error is ThrowawayRedisError else { throw error }
            // An interrupt, unless what interrupted it is that nobody reads.
            try await StandardStream.print("interrupted; everything is cleaned up")
            throw ExitCode(128 + (trap.signal ?? SIGINT))
        }
    }
}
