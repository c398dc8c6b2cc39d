import ExpirationStream
import Logging
import RESP
import Testing
import ThrowawayRedis

@testable import Lapse

/// A processor in this process that appends to a stream.
struct RunningStream: Sendable {
    let destination: StreamDestination
    let processor: ExpirationProcessor
    let log: CapturedLog

    init(
        _ url: String, name: String = "streams", partitions: Int = 1,
        _ change: (inout ProcessorConfiguration, inout StreamDestination) -> Void = { _, _ in }
    ) throws {
        var configuration = ProcessorConfiguration(redis: [url], name: name, match: ["k:*"])
        configuration.leaseTTL = .seconds(2)
        configuration.logAge = .seconds(900)
        var destination = StreamDestination(try StreamKeys("out", partitions: partitions))
        change(&configuration, &destination)
        configuration.stream = destination
        self.destination = destination
        log = CapturedLog()
        processor = ExpirationProcessor(
            configuration: configuration, logger: log.logger, handling: .one { _, _ in })
    }

    /// Runs until `body` is done.
    func run(_ body: @escaping @Sendable () async throws -> Void) async throws {
        try await processor.run(until: body)
    }

    /// `id key` of each entry of a stream, in its order.
    static func entries(_ server: ThrowawayServer, _ stream: String) async throws -> [String] {
        let lines = try await server.cli("XRANGE", stream, "-", "+").split(separator: "\n").map(String.init)
        return lines.indices.filter { lines[$0] == "id" && $0 + 3 < lines.count }.map {
            "\(lines[$0 + 1]) \(lines[$0 + 3])"
        }
    }

    static func waitForEntries(_ count: Int, _ server: ThrowawayServer, _ streams: [String] = ["out"]) async throws {
        try await waitUntil("\(count) entries", within: .seconds(40)) {
            var found = 0
            for stream in streams { found += Int(try await server.cli("XLEN", stream)) ?? 0 }
            return found >= count ? nil : "\(found)"
        }
    }
}
