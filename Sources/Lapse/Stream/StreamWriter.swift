import ExpirationStream
import LeaderElection
import Logging
import NIOCore
import RESP
import RedisClient
import Synchronization
import Timing

/// Appends each expiration to a stream, once: `lapse run --stream`.
///
/// A batch handler: one batch of a node is on its way at a time, so a partition has one writer for each
/// node, which appends in the node's order. A partition that cannot be written holds its own
/// expirations, and no others.
final class StreamWriter: Sendable {
    private let destination: StreamDestination
    private let client: KeyedClient
    private let store: String
    private let epoch: @Sendable () -> UInt64
    private let logger: Logger
    private let loop: any EventLoop
    private let log: StreamLog
    private let partitions: [StreamPartition]
    private let current = Mutex<BatchContext?>(nil)
    private let layout: WrittenLayout
    /// The token of the term that has found the layout as it should be, else 0: another leader may have
    /// changed it since an earlier term.
    private let laidOut = Atomic<UInt64>(0)
    /// Why the leader may append nothing at all.
    private let refused = Mutex<LapseError?>(nil)

    /// - Parameters:
    ///   - client: with connections of its own: a renewal must not wait behind a batch.
    ///   - name: the group's.
    ///   - store: how the election's store names its keys: tokens of two stores are not compared.
    ///   - epoch: how often its tokens began anew.
    init(
        _ destination: StreamDestination, client: KeyedClient, name: String, store: String,
        epoch: @escaping @Sendable () -> UInt64, metrics: ProcessorMetrics, logger: Logger, on loop: any EventLoop
    ) {
        self.destination = destination
        self.client = client
        self.store = store
        self.epoch = epoch
        self.logger = logger
        self.loop = loop
        let log = StreamLog(destination.keys.key, metrics, logger)
        self.log = log
        layout = WrittenLayout(destination.keys, name: name, client: client, logger: logger)
        partitions = destination.keys.partitions.indices.map {
            StreamPartition($0, of: destination, client: client) { log.tell($0, $1) }
        }
    }

    /// A term begins: the partitions are looked after also where nothing expires for long.
    func lead(_ term: Term) {
        let context = BatchContext(term, logger)
        laidOut.store(0, ordering: .relaxed)
        current.withLock { $0 = context }
    }

    @Sendable func callAsFunction(_ batch: ExpirationBatch, _ context: BatchContext) async throws -> BatchResult {
        current.withLock { $0 = context }
        if !isLaidOut(context) {
            do { try await checkLayout(context) } catch {
                // The end of the term says nothing about the stream.
                guard context.isLeading, !Task.isCancelled, !(error is FencedOut) else { throw error }
                log.tell(layout: error)
                throw StreamUnavailable(
                    partition: destination.keys.key, reason: "\(error)", wait: .seconds(1), others: false)
            }
        }
        let writer = writer(context)
        var result = BatchResult()
        let shares = shares(batch, context)
        guard shares.count > 1 else {
            for share in shares { result.fail(share.indices, await append(share, as: writer, context)) }
            return result
        }
        await withTaskGroup(of: (indices: [Int], error: (any Error)?).self) { group in
            for share in shares {
                // A partition that does not answer must not keep the others from theirs.
                group.addTask { (share.indices, await self.append(share, as: writer, context)) }
            }
            for await (indices, error) in group { result.fail(indices, error) }
        }
        return result
    }

    /// What keeps it from being appended; nil where it was.
    private func append(
        _ share: Share, as writer: StreamAppend.Writer, _ context: BatchContext
    ) async -> (any Error)? {
        do {
            try await partitions[share.partition].append(share.entries.finish(), of: share.runID, as: writer, context)
            return nil
        } catch { return refined(error) }
    }

    private func refined(_ error: any Error) -> any Error {
        guard let error = error as? StreamUnavailable else { return error }
        return StreamUnavailable(
            partition: error.partition, reason: error.reason, wait: error.wait,
            others: !partitions.allSatisfy(\.isFailing))
    }

    /// What of a batch goes to one partition.
    private struct Share {
        var partition: Int
        var runID: String
        var indices: [Int] = []
        var entries: StreamEncoder
    }

    private func shares(_ batch: ExpirationBatch, _ context: BatchContext) -> [Share] {
        var shares: [Share] = []
        for index in batch.indices {
            let expiration = batch[index]
            let runID = expiration.runID
            let digest = expiration.withKey { KeyDigest(database: expiration.database, key: $0) }
            let partition = digest.partition(of: partitions.count)
            let place = shares.firstIndex { $0.partition == partition && $0.runID == runID } ?? shares.count
            if place == shares.count {
                let encoder = StreamEncoder(term: context.term, token: context.fencingToken.rawValue)
                shares.append(Share(partition: partition, runID: runID, entries: encoder))
            }
            shares[place].indices.append(index)
            shares[place].entries.append(expiration, digest)
        }
        return shares
    }

    private func writer(_ context: BatchContext) -> StreamAppend.Writer {
        StreamAppend.Writer(store: store, token: context.fencingToken.rawValue, epoch: epoch())
    }

    // MARK: - Beside the batches

    /// Says what will keep entries from being appended; then, while this replica leads, looks after the
    /// partitions. Until cancelled.
    func run() async {
        let bell = Doorbell(on: loop)
        await unlessCancelled { await self.each { await self.look(at: $0.key) } }
        var term: UInt64?
        var turn = 0
        while await bell.wait(upTo: .seconds(1)) != .cancelled {
            guard let context = current.withLock({ $0 }), context.isLeading else {
                // The leader sees to it, and says it.
                refused.withLock { $0 = nil }
                continue
            }
            if context.term != term { (term, turn) = (context.term, 0) }
            let isTrimming = turn % 5 == 0
            if isTrimming || !isLaidOut(context) { await lookAtLayout(context) }
            // Partitions that are not this stream's are none to be looked after.
            guard isLaidOut(context) else { continue }
            turn += 1
            let writer = writer(context)
            await each { await $0.keepUp(as: writer, isTrimming: isTrimming, context) }
        }
    }

    private func each(_ body: @escaping @Sendable (StreamPartition) async -> Void) async {
        await withDiscardingTaskGroup { group in
            for partition in partitions {
                // One that does not answer must not keep the others waiting; the group awaits them.
                group.addTask { await body(partition) }
            }
        }
    }

    private func look(at key: String) async {
        do throws(RedisError) {
            // Refused for its position in any case, but only after everything else; it makes no stream.
            _ = try await client.send(RESPCommand("XADD", key, "0-0", "key", ""), key: key)
        } catch {
            guard case .reply(let reply) = error.kind, reply.code == "ERR", reply.text.contains("0-0") else {
                return StreamLog.say(error, key, logger)
            }
        }
        guard let type = try? await client.send(RESPCommand("TYPE", key), key: key).string,
            type != "none", type != "stream"
        else { return }
        let error = RESPError("WRONGTYPE the key holds a \(type), and no stream")
        StreamLog.say(RedisError(error, node: client.node(for: key)), key, logger)
    }

    /// Why this replica is not ready: it leads, and the stream is another group's, or has another number of
    /// partitions. One that starts then ends; one that started before learns it when it leads.
    var reasons: [String] { refused.withLock { $0 }.map { ["nothing is appended: \($0)"] } ?? [] }

    /// Why this replica may not append at all; nil also where it cannot be told yet.
    func refusal() async -> LapseError? { await layout.refusal() }

    /// Writes it again where it was lost, by DEL, FLUSHALL or a failover: a worker that starts then takes
    /// the stream for one partition.
    private func lookAtLayout(_ context: BatchContext) async {
        do { try await checkLayout(context) } catch let error as LapseError {
            laidOut.store(0, ordering: .relaxed)
            // Not only when something expires.
            if context.isLeading { log.tell(layout: error) }
        } catch {
            // It cannot be told now, and is as it was for all that is known.
        }
    }

    private func isLaidOut(_ context: BatchContext) -> Bool {
        laidOut.load(ordering: .relaxed) == context.fencingToken.rawValue
    }

    /// Workers read how many partitions there are where it was first written: another number is taken over
    /// when the old partitions are empty.
    private func checkLayout(_ context: BatchContext) async throws {
        let isNew: Bool
        do { isNew = try await layout.settle(as: writer(context), context) } catch {
            if let error = error as? LapseError { refused.withLock { $0 = error } }
            throw error
        }
        refused.withLock { $0 = nil }
        if isNew, isLaidOut(context) {
            logger.warning(
                "the stream's number of partitions was lost: it is written again",
                metadata: [
                    "stream": "\(destination.keys.key)", "partitions": .stringConvertible(partitions.count),
                ])
        }
        laidOut.store(context.fencingToken.rawValue, ordering: .relaxed)
    }
}

extension BatchResult {
    fileprivate mutating func fail(_ indices: [Int], _ error: (any Error)?) {
        guard let error else { return }
        for index in indices { fail(index, error) }
    }
}
