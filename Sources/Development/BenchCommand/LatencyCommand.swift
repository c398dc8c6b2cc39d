import ArgumentParser
import Foundation
import Lapse
import Logging
import Synchronization
import ThrowawayRedis

/// From the command that makes a key expire to the handler, beside a thread that does nothing but read
/// the socket.
struct LatencyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "latency", abstract: "Time from an expiration to the start of its handler.",
        discussion: """
            The keys have run out, and Redis' own cycle is off: the sender touches each at its time, which makes the \
            server expire and announce it. A bare reader listens to the same stream: what it sees is the server's and the \
            machine's share. The rest, "handler after reader", taken for each expiration, is added by Lapse (and by which \
            of the two subscribers the server writes to first). Sender, reader and Lapse are threads of one process.
            """)

    @Option(parsing: .upToNextOption, help: "Expirations per second.") var rates = [1_000, 50_000]
    @Option(help: "Seconds of each.") var seconds = 10

    func run() async throws {
        Console.show("| rate/s | who | p50, ms | p99 | p99.9 | max |\n|---|---|---|---|---|---|")
        for rate in rates { try await measure(rate) }
    }

    private func measure(_ rate: Int) async throws {
        let server = try await ThrowawayServer.start(ExpirationBurst.server)
        let count = rate * seconds
        let burst = ExpirationBurst(server: server)
        let times = StreamTimes(count)
        let configuration = ProcessorConfiguration(redis: [server.url], name: "latency", match: ["{bench}:*"])
        let processor = ExpirationProcessor(
            configuration: configuration, logger: Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() }
        ) { expiration, _ in
            times.handled(KeyNumber.of(expiration.key.bytes.suffix(KeyNumber.digits)) - 1)
        }
        async let run: Void = processor.run()
        try await waitUntil("it leads", within: .seconds(30)) { processor.status?.isLeader == true ? nil : "not yet" }
        try await burst.load(count)
        let reader = try BareReader(server, times)
        reader.start()
        let sender = try PacedSender(server, times, rate: rate, count: count)
        await sender.run()
        try await waitUntil("all are read and handled", within: .seconds(60)) {
            times.counts == (count, count) ? nil : "\(times.counts) of \(count)"
        }
        reader.stop()
        processor.stop()
        try await run
        await server.shutDown()
        for (who, latencies) in [
            ("bare reader", times.read()), ("handler", times.handled()), ("handler after reader", times.added()),
        ] {
            let parts = [0.5, 0.99, 0.999, 1].map { Self.quantile($0, latencies) }
            Console.show(
                String(
                    format: "| %d | %@ | %.3f | %.3f | %.3f | %.3f |", rate, who, parts[0], parts[1], parts[2], parts[3]
                ))
        }
    }

    /// In milliseconds, of sorted nanoseconds.
    private static func quantile(_ part: Double, _ sorted: [Int64]) -> Double {
        guard let last = sorted.last else { return .nan }
        let index = Int(part * Double(sorted.count))
        return Double(index < sorted.count ? sorted[index] : last) / 1_000_000
    }
}
