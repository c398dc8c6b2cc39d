import Foundation
import Lapse
import LeaderElection
import Logging
import ServiceLifecycle
import UnixSignals

/// Books expired orders, one transaction for each batch:
/// `LedgerExample redis://127.0.0.1:6379 LEDGER-FILE`.
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
/// `INSERT … ON CONFLICT (position) DO NOTHING` with a unique key on the position, for all of a batch
/// between BEGIN and COMMIT.
actor Ledger {
    struct Entry {
        let position: String
        let order: String
    }

    private let file: FileHandle
    /// With as many orders as a ledger has in practice, this is the database's index.
    private var booked: Set<String> = []
    private var largest = FencingToken(rawValue: 0)
    private var end: UInt64 = 0

    init(path: String) throws {
        if !FileManager.default.fileExists(atPath: path) { try Data().write(to: URL(filePath: path)) }
        file = try FileHandle(forUpdating: URL(filePath: path))
    }

    /// All of them or none.
    func book(_ entries: [Entry], token: FencingToken) throws {
        // The lease says that one leader books at a time; a database would keep the token and refuse a smaller
        // one itself.
        guard token >= largest else { throw FencedOut() }
        if token > largest { try read() }
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

    /// A new term: others have booked meanwhile, and one that died may have left the beginning of a line.
    private func read() throws {
        try file.seek(toOffset: 0)
        let all = try file.readToEnd() ?? Data()
        let whole = all[..<(all.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0)]
        booked = Set(
            String(decoding: whole, as: UTF8.self).split(separator: "\n").map { String($0.prefix { $0 != " " }) })
        end = UInt64(whole.count)
        try file.truncate(atOffset: end)
        try file.seek(toOffset: end)
    }
}
