import ExpirationStream
import LeaderElection
import Logging
import RESP
import RedisClient

/// How many partitions a stream has and whose it is, as it stands beside the stream: workers read it
/// there, and only the leader writes it.
struct WrittenLayout: Sendable {
    private let keys: StreamKeys
    private let name: String
    private let client: KeyedClient
    private let logger: Logger

    /// - Parameter name: the group's. Tokens of two groups cannot be compared, so one may append.
    init(_ keys: StreamKeys, name: String, client: KeyedClient, logger: Logger) {
        self.keys = keys
        self.name = name
        self.client = client
        self.logger = logger
    }

    /// Why this replica may not append at all; nil also where it cannot be told yet. It writes nothing:
    /// another replica may lead, with the number that stands there.
    func refusal() async -> LapseError? {
        do { try await look() } catch { return error as? LapseError }
        return nil
    }

    private func look() async throws {
        let reply = try await client.send(
            RESPCommand("HMGET", keys.layout, "format", "partitions", "name"), key: keys.layout)
        // What is missing there the leader writes.
        guard let facts = reply.array, facts.count == 3, !facts[0].isNull, !facts[1].isNull else { return }
        let found = try partitions(facts)
        guard found != keys.partitions.count else { return }
        let old = try StreamKeys(keys.key, partitions: found)
        var counts: [RESPValue] = []
        for partition in old.partitions {
            counts.append(try await client.run(StreamScripts.left, keys: [partition]))
        }
        try check(counts, of: old)
    }

    /// Writes the number of partitions, for the leader: where none stands, or where nothing is left in
    /// those of another number.
    ///
    /// - Returns: whether none stood there.
    /// - Throws: ``LapseError`` where another group stands there, or another number still, `RedisError`
    ///   where it cannot be told, `FencedOut` where a later leader is there, or `CancellationError` at the
    ///   end of the term.
    func settle(as writer: StreamAppend.Writer, _ context: BatchContext) async throws -> Bool {
        guard context.isLeading else { throw CancellationError() }
        let count = keys.partitions.count
        let reply = try await client.run(
            StreamScripts.layout, keys: [keys.layout], arguments: [Array("\(count)".utf8), Array(name.utf8)])
        let words = reply.array ?? []
        let found = try partitions(words)
        let isNew = words.last?.int == 1
        guard found != count else { return isNew }
        try await clear(try StreamKeys(keys.key, partitions: found), as: writer, context)
        guard context.isLeading, !Task.isCancelled else { throw CancellationError() }
        _ = try await client.send(
            RESPCommand("HSET", keys.layout, "partitions", "\(count)"), key: keys.layout)
        logger.notice(
            "partitions changed",
            metadata: ["stream": "\(keys.key)", "from": "\(found)", "to": "\(count)"])
        return false
    }

    /// Takes away from partitions of another number what every group has acknowledged: no writer looks
    /// after them any more. A leader of the past appends nothing there from then on, as they know the
    /// newer token.
    ///
    /// - Throws: also where something is left.
    private func clear(_ old: StreamKeys, as writer: StreamAppend.Writer, _ context: BatchContext) async throws {
        var lengths: [RESPValue] = []
        for (index, partition) in old.partitions.enumerated() {
            guard context.isLeading, !Task.isCancelled else { throw CancellationError() }
            let reply = try await client.run(
                StreamScripts.upkeep, keys: [partition, old.writer(of: index)],
                arguments: StreamAppend.upkeep(writer, known: 0))
            switch StreamAppend.outcome(reply, of: 0) {
            case .done: break
            case .fenced: throw FencedOut()
            case .behind, nil: throw senseless("the script", partition)
            }
            lengths.append(try await client.send(RESPCommand("XLEN", partition), key: partition))
        }
        try check(lengths, of: old)
    }

    /// Throws where entries are left.
    private func check(_ counts: [RESPValue], of old: StreamKeys) throws {
        guard let left = Self.total(counts) else { throw senseless("XLEN", "the partitions of \(old.key)") }
        guard left > 0 else { return }
        throw LapseError.configuration(
            "partitions",
            "the stream \(old.key) has \(old.partitions.count) and \(left) entries in them: run with "
                + "\(old.partitions.count) until the workers have acknowledged all, then with \(keys.partitions.count)")
    }

    /// The sum of what servers say; nil where that cannot be true. Of as many as a stream can have the sum
    /// fits.
    static func total(_ lengths: [RESPValue]) -> UInt64? {
        var total: UInt64 = 0
        for length in lengths {
            guard let length = PlausibleCount.read(length) else { return nil }
            total += length
        }
        return total
    }

    private func senseless(_ what: String, _ place: String) -> RedisError {
        RedisError(
            .protocolViolation, node: client.node(for: keys.key), "the answer to \(what) of \(place) makes no sense")
    }

    /// How many there are.
    ///
    /// - Parameter facts: the format, the number, the group's name.
    private func partitions(_ facts: [RESPValue]) throws(LapseError) -> Int {
        guard facts.count >= 3, facts[0].string == "1",
            let count = facts[1].int, (1...Int64(StreamKeys.limit)).contains(count)
        else {
            throw LapseError.configuration(
                "stream",
                "\(keys.layout) is not of this version: use the newer build, or another stream, or delete that key")
        }
        if let owner = facts[2].string, owner != name {
            throw LapseError.configuration(
                "stream",
                "the group \(owner) appends to \(keys.key), and this one is \(name): use another stream for it")
        }
        return Int(count)
    }
}
