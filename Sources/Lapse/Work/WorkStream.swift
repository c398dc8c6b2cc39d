import ExpirationStream
import NIOCore
import RESP
import RedisClient
import Timing

/// What a worker asks of the partitions, over the connections of its process.
struct WorkStream: Sendable {
    let group: String
    /// This worker, as the group knows it.
    let consumer: String
    let claimAfter: Duration
    let client: KeyedClient
    /// Makes the turns of this process its own.
    let nonce: String
    private let knownKeys = WorkKeys()

    /// How long a read waits for entries. The answer comes a little later at most, or the server is away.
    static let block = Duration.seconds(2)
    /// How long the attempts begun of a stream are kept on which nothing is begun any more.
    private static let countsLast = Duration.seconds(7 * 86_400)

    /// A larger entry cannot be taken in: its answer would end the connection.
    private static let entryBytes = 60 << 20

    /// An entry that a read or a claim has brought.
    struct Found: Sendable {
        var id: StreamID
        var content: Result<WorkContent, NoExpiration>
    }

    /// For each script: the stream, and the hash of the attempts begun.
    private func keys(_ partition: String) throws(RedisError) -> [[UInt8]] {
        try knownKeys.of(partition, group)
    }

    /// Makes the group where it is missing, from the beginning of the stream on: nothing in it has been
    /// handled by this group. Returns whether it was missing.
    func prepare(_ partition: String) async throws(RedisError) -> Bool {
        do throws(RedisError) {
            _ = try await client.send(
                RESPCommand("XGROUP", "CREATE", partition, group, "0", "MKSTREAM"), key: partition)
            return true
        } catch {
            guard case .reply(let reply) = error.kind, reply.code == "BUSYGROUP" else { throw error }
            return false
        }
    }

    /// - Parameter reader: over a connection that nothing else uses, for it is blocked meanwhile.
    func read(_ partition: String, limit: Int, over reader: KeyedClient) async throws(RedisError) -> [Found] {
        let command = RESPCommand(
            "XREADGROUP", "GROUP", group, consumer, "COUNT", "\(limit)", "BLOCK", "\(Self.block.inMilliseconds)",
            "STREAMS", partition, ">")
        let reply = try await reader.send(command, key: partition, timeout: Self.block + .seconds(2), isPatient: false)
        // One stream: [[key, entries]].
        return found(reply.array?.first?.array?.last)
    }

    struct Claimed {
        var found: [Found]
        var next: StreamID
        /// Deleted from the stream before they were handled.
        var gone: Int
    }

    /// - Parameter held: nil for what silent workers have; else for what this one has, as the group knows
    ///   it, beside these.
    func claim(
        _ partition: String, from: StreamID, limit: Int, held: [StreamID]?
    ) async throws(RedisError) -> Claimed {
        let idle = held == nil ? claimAfter.inMilliseconds : 0
        let reply = try await client.run(
            WorkScripts.claim, keys: try keys(partition),
            arguments: words(
                group, consumer, "\(idle)", "\(from)", "\(limit)", "\(WorkMachine.answerBytes)", "\(Self.entryBytes)",
                "\(StreamEntry.wordLimit)"),
            rest: encoded(held ?? []),
            // Once: run again it finds nothing idle any more, and what it had claimed would be in no hand.
            timeout: Self.block + .seconds(2), isPatient: false)
        guard let parts = reply.array, parts.count == 3 else { throw implausible("the script that claims", partition) }
        return Claimed(
            found: found(parts[1]), next: parts[0].string.flatMap { StreamID($0) } ?? .zero,
            gone: Int(max(0, parts[2].int ?? 0)))
    }

    /// - Parameter done: what is acknowledged first.
    func begin(
        _ partition: String, _ begins: [WorkMachine.Begin], acknowledging done: [StreamID]
    ) async throws(RedisError) -> AttemptCounts {
        var (answer, done) = (AttemptCounts(), done)
        answer.reserve(begins.count)
        for begins in parts(begins.sorted { $0.id < $1.id }) {
            try await begin(partition, part: begins, acknowledging: done, &answer)
            done = []
        }
        return answer
    }

    private func begin(
        _ partition: String, part begins: ArraySlice<WorkMachine.Begin>, acknowledging done: [StreamID],
        _ answer: inout AttemptCounts
    ) async throws(RedisError) {
        var rest = RESPWords()
        rest.append(UInt64(done.count))
        for id in done { rest.append(id) }
        let nonce = Array("\(nonce)-".utf8)
        for begin in begins {
            rest.append(begin.id)
            rest.append(nonce, begin.turn)
        }
        let reply = try await client.run(
            WorkScripts.begin, keys: try keys(partition),
            arguments: words(
                group, consumer, "\(Self.countsLast.inMilliseconds)", "\(claimAfter.inMilliseconds / 4)"),
            rest: RESPCommand(rest))
        guard let counts = reply.array, counts.count == begins.count else {
            throw implausible("the script that counts attempts", partition)
        }
        for (begin, count) in zip(begins, counts) {
            let count = count.int ?? 0
            answer.append(begin.id, count > 0 ? Int(min(count, Int64(Int32.max - 1))) : nil)
        }
    }

    func acknowledge(_ partition: String, _ ids: [StreamID]) async throws(RedisError) {
        _ = try await client.run(
            WorkScripts.acknowledge, keys: try keys(partition), arguments: words(group), rest: encoded(ids))
    }

    struct Kept {
        /// Not this worker's any more.
        var lost: [StreamID] = []
        /// Deleted from the stream.
        var gone: [StreamID] = []
    }

    func keep(_ partition: String, _ ids: [StreamID]) async throws(RedisError) -> Kept {
        var kept = Kept()
        for ids in parts(ids) {
            let reply = try await client.run(
                WorkScripts.keep, keys: try keys(partition), arguments: words(group, consumer), rest: encoded(ids))
            guard let parts = reply.array, parts.count == 2 else { throw implausible("the heartbeat", partition) }
            kept.lost += identifiers(parts[0])
            kept.gone += identifiers(parts[1])
        }
        return kept
    }

    /// Returns how many entries this worker had that were deleted from the stream.
    func leave(_ partition: String) async throws(RedisError) -> Int {
        let reply = try await client.run(
            WorkScripts.leave, keys: try keys(partition),
            arguments: words(group, consumer, "\((claimAfter + .seconds(1)).inMilliseconds)"), timeout: .seconds(1))
        return Int(max(0, reply.int ?? 0))
    }

    /// The keys of the partitions.
    func partitions(of stream: String) async throws(RedisError) -> [String] {
        try await StreamLayout.read(stream, over: client).partitions
    }

    private func found(_ entries: RESPValue?) -> [Found] {
        var texts = StreamEntry.Texts()
        return (entries?.array ?? []).compactMap { entry in
            guard let parts = entry.array, parts.count == 2, let id = parts[0].bytes.flatMap({ StreamID($0) }) else {
                return nil
            }
            if case .integer(let bytes) = parts[1] { return Found(id: id, content: .failure(.tooLarge(bytes: bytes))) }
            guard let entry = StreamEntry(fields: parts[1], &texts) else {
                return Found(id: id, content: .failure(.foreign))
            }
            return Found(id: id, content: .success(WorkContent(entry)))
        }
    }

    private func implausible(_ what: String, _ partition: String) -> RedisError {
        RedisError(
            .protocolViolation, node: client.node(for: partition),
            "the answer to \(what) for \(partition) makes no sense")
    }

    private func words(_ words: String...) -> [[UInt8]] { words.map { Array($0.utf8) } }
    private func encoded(_ ids: some Sequence<StreamID>) -> RESPCommand {
        var words = RESPWords()
        for id in ids { words.append(id) }
        return RESPCommand(words)
    }
    private func identifiers(_ list: RESPValue) -> [StreamID] {
        (list.array ?? []).compactMap { $0.string.flatMap { StreamID($0) } }
    }

    /// A script keeps the server from all others while it runs: a few milliseconds for each of these.
    private func parts<Element>(_ all: [Element]) -> [ArraySlice<Element>] {
        stride(from: 0, to: all.count, by: 1000).map { all[$0..<min($0 + 1000, all.count)] }
    }
}

extension Duration {
    /// Without the rest.
    var inMilliseconds: Int64 { inNanoseconds / 1_000_000 }
}
