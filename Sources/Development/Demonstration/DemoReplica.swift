import Foundation
import Glibc

/// One `lapse run` as a child process, which dies with this one.
final class DemoReplica: Sendable {
    let id: String
    private let process = Process()

    /// Starts one replica for each id.
    static func start(
        _ ids: [String], redis: String, leaseTTL: String, stage: DemoStage
    ) async throws -> [DemoReplica] {
        let replicas = ids.map { DemoReplica($0, redis: redis, leaseTTL: leaseTTL, stage: stage) }
        try await withCheckedThrowingContinuation { continuation in
            // "Dies with this one" means: with the thread that started it. This one ends only with the process.
            Thread.detachNewThread {
                continuation.resume(with: Result { for replica in replicas { try replica.process.run() } })
                while true { sleep(.max) }
            }
        }
        return replicas
    }

    private init(_ id: String, redis: String, leaseTTL: String, stage: DemoStage) {
        self.id = id
        let command = [
            "/proc/self/exe", "run", "--redis", redis, "--name", "demo", "--id", id, "--lease-ttl", leaseTTL,
            "--handler", "ndjson", "--admin", "off", "--log-format", "json",
        ]
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: command[0])) ?? CommandLine.arguments[0]
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["setpriv", "--pdeathsig", "KILL", "--", own] + command.dropFirst()
        // What configures this process is not meant for the replicas of a demonstration.
        process.environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("LAPSE_") }
        let (output, errors) = (Pipe(), Pipe())
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = errors
        Self.read(output) { stage.handled($0) }
        Self.read(errors) { stage.logged($0, by: id) }
    }

    deinit { kill() }

    /// As a crash does. Does nothing the second time.
    func kill() {
        guard process.isRunning else { return }
        _ = Glibc.kill(process.processIdentifier, SIGKILL)
    }

    /// Calls the body for each line, on a thread of its own, until the other end is closed.
    private static func read(_ pipe: Pipe, _ body: @escaping @Sendable (Data) -> Void) {
        let handle = pipe.fileHandleForReading
        Thread.detachNewThread {
            var rest = Data()
            while true {
                let chunk = handle.availableData
                if chunk.isEmpty { return }
                rest += chunk
                while let newline = rest.firstIndex(of: UInt8(ascii: "\n")) {
                    body(Data(rest[rest.startIndex..<newline]))
                    rest = Data(rest[rest.index(after: newline)...])
                }
            }
        }
    }
}
