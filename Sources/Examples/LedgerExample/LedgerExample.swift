import Foundation
import Lapse
import LeaderElection
import Logging
import ServiceLifecycle
import UnixSignals

/// Books expired orders, one transaction for each batch: `LedgerExample redis://127.0.0.1:6379 LEDGER-FILE`.
@main
struct LedgerExample {
    static func main() async throws {
        let arguments = CommandLine.arguments.dropFirst()
        let redis = arguments.first ?? "redis://127.0.0.1:6379"
        let logger = Logger(label: "ledger")
        let ledger = try Ledger(path: arguments.dropFirst().first ?? "ledger")

        var configuration = ProcessorConfiguration(redis: [redis], name: "ledger", match: ["order:*"])
        configuration.leaseTTL = .seconds(2)
        let processor = ExpirationProcessor.inBatches(configuration: configuration, logger: logger) { batch, context in
            let entries = batch.map { Ledger.Entry(position: "\($0.position)", order: "\($0.key)") }
            // Asked before the effect: a process that was stopped in between must not go on with it.
            guard context.isLeading else {
                return BatchResult(handledUpTo: 0, of: batch.count, error: CancellationError())
            }
            try await ledger.book(entries, token: context.fencingToken)
            return .handled
        }
        let group = ServiceGroup(services: [processor], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        try await group.run()
    }
}

/// Stands for a database: a file with one line for each order, written and synced once for each batch.
///
/// An expiration that comes twice has the same position, so it is booked once. In SQL that is
/// `INSERT … ON CONFLICT (position) DO NOTHING` with a unique key on the position, for all of a batch between BEGIN and COMMIT.
actor Ledger {
    struct Entry {
        let position: String
        let order: String
    }

    struct StaleToken: Error {}

    private let file: FileHandle
    /// With as many orders as a ledger has in practice, this is the database's index.
    private var booked: Set<String> = []
    private var largest = FencingToken(rawValue: 0)
    private var end: UInt64 = 0

    init(path: String) throws {
        if !FileManager.default.fileExists(atPath: path) { try Data().write(to: URL(filePath: path)) }
        file = try FileHandle(forUpdating: URL(filePath: path))
        for line in String(decoding: try file.readToEnd() ?? Data(), as: UTF8.self).split(separator: "\n") {
            booked.insert(String(line.prefix { $0 != " " }))
        }
        end = try file.seekToEnd()
    }

    /// All of them or none.
    func book(_ entries: [Entry], token: FencingToken) throws {
        guard token >= largest else { throw StaleToken() }
        largest = token
        let new = entries.filter { !booked.contains($0.position) }
        let lines = Data(new.map { "\($0.position) \($0.order)\n" }.joined().utf8)
        do {
            try file.write(contentsOf: lines)
            try file.synchronize()
        } catch {
            // Rolled back: the batch is tried again.
            try file.truncate(atOffset: end)
            throw error
        }
        end += UInt64(lines.count)
        booked.formUnion(new.map(\.position))
    }
}
