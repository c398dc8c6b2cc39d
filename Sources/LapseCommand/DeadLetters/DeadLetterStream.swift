import ExpirationStream
import Lapse
import Logging
import NIOCore
import RESP
import RedisClient

/// The stream of dead letters, read in pages.
struct DeadLetterStream: Sendable {
    /// Letters in one reply: with keys and errors of the usual size some ten kilobytes.
    static let page = 100

    let key: String
    private let client: KeyedClient

    /// Opens the stream that the options name, and closes all when the body has ended.
    static func opened(
        _ values: OptionValues, logger: Logger = Logger(label: "lapse") { _ in SwiftLogNoOpLogHandler() },
        _ body: (DeadLetterStream) async throws -> Void
    ) async throws {
        guard let key = try values(Running.deadLetter) else {
            throw Failure.usage("--dead-letter: name the stream, as for lapse run")
        }
        var configuration = ProcessorConfiguration()
        try configuration.connect(values)
        let access = try RedisAccess(configuration, logger: logger)
        do {
            _ = try await access.discover()
            try await body(
                DeadLetterStream(
                    key: key, client: KeyedClient(nodes: access.nodes, watch: access.watch, on: access.loop)))
        } catch {
            await access.shutDown()
            throw error
        }
        await access.shutDown()
    }

    /// The server's time, in milliseconds since 1970: IDs are made of it.
    func now() async throws(Failure) -> UInt64 {
        let parts = try await send(RESPCommand("TIME")).array ?? []
        guard parts.count == 2, let seconds = parts[0].int, let micros = parts[1].int,
            (0..<1 << 40).contains(seconds), (0..<1_000_000).contains(micros)
        else { throw Failure(.internal, "the server's answer to TIME cannot be understood") }
        return UInt64(seconds) * 1000 + UInt64(micros) / 1000
    }

    /// Calls the body for each letter that matches, the oldest first, while more are wanted. What is
    /// written meanwhile is left: what is retried into a stream may come back as a letter, without end.
    func each(
        _ filter: DeadLetterFilter, now: UInt64, isWanted: () -> Bool, _ body: (FoundLetter) async throws -> Void
    ) async throws {
        guard let range = filter.range(now: now), let newest = try await newest() else { return }
        let last = min(range.upperBound, newest)
        var from = "\(range.lowerBound)"
        while isWanted() {
            let letters = try await letters(from: from, through: last, limit: Self.page)
            for letter in letters where filter.wants(letter) {
                guard isWanted() else { return }
                try await body(letter)
            }
            guard letters.count == Self.page, let end = letters.last else { return }
            from = "(\(end.id)"
        }
    }

    func letter(_ id: StreamID) async throws(Failure) -> FoundLetter? {
        try await letters(from: "\(id)", through: id, limit: 1).first
    }

    /// Deletes letters. Returns how many there were.
    func drop(_ ids: [StreamID]) async throws(Failure) -> Int {
        let reply = try await send(RESPCommand(["XDEL", key] + ids.map(\.description)))
        return Int(reply.int ?? 0)
    }

    /// Appends an expiration to a stream, where its key belongs.
    ///
    /// - Throws: also where there is no such stream: the letter would vanish in one that has no reader. A
    ///   stream that has a number of partitions is one, also before the first entry of a partition.
    func append(_ record: DeadLetterRecord, to stream: String) async throws {
        let keys = try await StreamLayout.read(stream, over: client)
        let database = Int(record.database)
        let partition = KeyDigest(database: database, key: record.key).partition(of: keys.partitions.count)
        let id = EventID.of(
            runID: record.runID, ordinal: record.ordinal, database: database, key: record.key, value: record.value)
        let entry = StreamEntry(
            id: id, key: record.key, database: database, node: record.node, runID: record.runID,
            ordinal: record.ordinal, origin: record.origin,
            deadline: record.deadline?.milliseconds, lagMilliseconds: record.deadline?.lagMilliseconds,
            value: record.value, term: record.term, token: record.token,
            isUncertain: true)
        var command = RESPCommand("XADD", keys.partitions[partition])
        if keys.partitions.count == 1 { command.append("NOMKSTREAM") }
        command.append("*")
        command.append(contentsOf: entry.fields)
        guard try await !client.send(command, key: keys.partitions[partition]).isNull else {
            throw Failure.usage("there is no stream \(stream): see that --stream names it as lapse run does")
        }
    }

    func missing(_ id: StreamID) -> Failure { Failure(.negative, "there is no letter \(id) in \(key)") }

    private func newest() async throws(Failure) -> StreamID? {
        let reply = try await send(RESPCommand("XREVRANGE", key, "+", "-", "COUNT", "1"))
        return (reply.array ?? []).compactMap(FoundLetter.init).first?.id
    }

    private func letters(from: String, through last: StreamID, limit: Int) async throws(Failure) -> [FoundLetter] {
        let reply = try await send(RESPCommand("XRANGE", key, from, "\(last)", "COUNT", "\(limit)"))
        return (reply.array ?? []).compactMap(FoundLetter.init)
    }

    private func send(_ command: RESPCommand) async throws(Failure) -> RESPValue {
        do throws(RedisError) { return try await client.send(command, key: key) } catch {
            guard case .reply(let reply) = error.kind, reply.code == "WRONGTYPE" else { throw Failure(error) }
            throw .usage("--dead-letter: \(key) is no stream")
        }
    }
}
