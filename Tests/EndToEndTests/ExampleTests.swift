import Foundation
import Glibc
import Testing
import ThrowawayRedis

/// What README and manual show is what there is, and does what they say.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct ExampleTests {
    @Test("the example releases a cart whose key expires, and ends with 0 on SIGTERM")
    func releasesCarts() async throws {
        let server = try await ThrowawayServer.start()
        let example = try ExampleProcess("CartExample", [server.url])
        defer { example.kill() }
        // A server gives no vote while it is younger than the lease.
        try await waitUntil("the example leads", within: .seconds(20)) {
            example.log.contains("became leader") ? nil : "its log: \(example.log)"
        }
        try await server.cli("SET", "cart:1", "x", "PX", "200")
        try await waitUntil("cart:1 is released", within: .seconds(20)) {
            example.output.contains("released cart:1 token=") ? nil : "its log: \(example.log)"
        }
        #expect(await example.terminate() == 0, "\(example.log)")
        #expect(example.output.split(separator: "\n").count == 1, "\(example.output)")
        await server.shutDown()
    }

    @Test(
        "the ledger books each order once in one transaction a batch, also when it is started again behind its progress"
    )
    func ledgerBooksEachOnce() async throws {
        let server = try await ThrowawayServer.start()
        let ledger = FileManager.default.temporaryDirectory.appending(path: "ledger-\(UUID())")
        defer { try? FileManager.default.removeItem(at: ledger) }
        func booked() -> [String] {
            ((try? String(contentsOf: ledger, encoding: .utf8)) ?? "").split(separator: "\n").map(String.init)
        }
        for run in 1...2 {
            let example = try ExampleProcess("LedgerExample", [server.url, ledger.path])
            defer { example.kill() }
            try await waitUntil("it leads", within: .seconds(30)) {
                example.log.contains("became leader") ? nil : "its log: \(example.log)"
            }
            let script = "for i = 1, 300 do redis.call('SET', 'order:\(run):' .. i, '1', 'PX', '50') end"
            try await server.cli("EVAL", script, "0")
            try await waitUntil("all are booked", within: .seconds(30)) {
                booked().count >= run * 300 ? nil : "\(booked().count) are"
            }
            if run == 1 {
                // Its last progress is lost with it: the next run is handed some again.
                example.kill()
            } else {
                #expect(await example.terminate() == 0, "\(example.log)")
            }
        }
        let orders = booked().compactMap { $0.split(separator: " ").last }
        #expect(orders.count == 600 && Set(orders).count == 600, "each is booked once")
        await server.shutDown()
    }

    @Test("a worker releases what the service appends to a stream, and ends with 0 on SIGTERM")
    func workerReleasesCarts() async throws {
        let server = try await ThrowawayServer.start()
        let service = try ExampleProcess(
            "lapse",
            [
                "run", "--redis", server.url, "--match", "cart:*", "--stream", "expirations", "--lease-ttl", "1s",
                "--admin", "off",
            ])
        defer { service.kill() }
        let worker = try ExampleProcess("WorkerExample", [server.url])
        defer { worker.kill() }
        try await waitUntil("the service leads", within: .seconds(20)) {
            service.log.contains("became leader") ? nil : "its log: \(service.log)"
        }
        try await server.cli("SET", "cart:1", "x", "PX", "200")
        try await waitUntil("cart:1 is released", within: .seconds(20)) {
            worker.output.contains("released cart:1 event=") ? nil : "the logs: \(service.log)\n\(worker.log)"
        }
        #expect(await worker.terminate() == 0, "\(worker.log)")
        #expect(await service.terminate() == 0, "\(service.log)")
        #expect(worker.output.split(separator: "\n").count == 1, "\(worker.output)")
        await server.shutDown()
    }

    @Test("the README shows the lines of the example")
    func readmeShowsTheExample() throws {
        let readme = try Self.text(of: "README.md")
        let begin = try #require(readme.firstRange(of: "```swift\n"))
        let end = try #require(readme[begin.upperBound...].firstRange(of: "```"))
        let shown = readme[begin.upperBound..<end.lowerBound]
        // There it stands inside a type and its function.
        let lines = shown.split(separator: "\n").map { "        \($0)\n" }
        #expect(lines.count > 5)
        #expect(try Self.text(of: "Sources/Examples/CartExample/CartExample.swift").contains(lines.joined()))
    }

    @Test("the manual shows the user that `lapse doctor --acl` prints")
    func manualShowsTheUser() throws {
        let process = Process()
        process.executableURL = URL(filePath: Binary.lapse)
        process.arguments = ["doctor", "--acl", "--name", "shop"]
        let output = Pipe()
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let printed = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        #expect(printed.hasPrefix("ACL SETUSER lapse "), "\(printed)")
        #expect(try Self.text(of: "Sources/Lapse/Lapse.docc/RedisSetup.md").contains("```\n\(printed)```"))
    }

    private static func text(of path: String) throws -> String {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }
}

/// The example as a process, its output and its log in files.
private final class ExampleProcess: Sendable {
    private let process = Process()
    private let directory: URL

    var output: String { text("output") }
    var log: String { text("log") }

    init(_ program: String, _ arguments: [String]) throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "\(program)-\(UUID())")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        process.executableURL = URL(filePath: Binary.built(program))
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try file("output")
        process.standardError = try file("log")
        try process.run()
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    /// SIGTERM; returns the exit code, nil when it did not end in time.
    func terminate() async -> Int32? {
        process.terminate()
        try? await waitUntil("the example has ended", within: .seconds(20)) { process.isRunning ? "it runs" : nil }
        return process.isRunning ? nil : process.terminationStatus
    }

    func kill() {
        guard process.isRunning else { return }
        _ = Glibc.kill(process.processIdentifier, SIGKILL)
    }

    private func file(_ name: String) throws -> FileHandle {
        let file = directory.appending(path: name)
        try Data().write(to: file)
        return try FileHandle(forWritingTo: file)
    }

    private func text(_ name: String) -> String {
        (try? String(contentsOf: directory.appending(path: name), encoding: .utf8)) ?? ""
    }
}
