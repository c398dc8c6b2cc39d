import ExpirationStream
import Lapse
import Logging
import NIOCore
import RESP
import RedisClient
import Timing

/// The stream of dead letters, read in pages.
struct DeadLetterStream: Sendable {
    let key: String
    private let client: KeyedClient
    private let nodes: NodeDirectory
    /// Values of megabytes may take a page over a slow network longer than a command.
    private static let patience = Duration.seconds(5)
    /// About what a failover takes with common settings of Sentinel and cluster.
    private static let longestDrop = Duration.seconds(15)

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
            let letters = DeadLetterStream(
                key: key, client: KeyedClient(nodes: access.nodes, watch: access.watch, on: access.loop),
                nodes: access.nodes)
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                // A handler may take longer than a failover: the new master is looked for meanwhile.
                tasks.addTask { await access.watch.run() }
                defer { tasks.cancelAll() }
                try await body(letters)
            }
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

    /// Calls the body for each letter that matches, the oldest first, up to a limit and while more are
    /// wanted. What is written meanwhile is left: what is retried into a stream may come back as a letter,
    /// without end.
    func each(
        _ filter: DeadLetterFilter, now: UInt64, limit: Int, isWanted: () -> Bool,
        _ body: (FoundLetter) async throws -> Void
    ) async throws {
        guard let range = filter.range(now: now), let newest = try await newest() else { return }
        let last = min(range.upperBound, newest)
        var from = "\(range.lowerBound)"
        var page = LetterPage(wanted: limit)
        var left = limit
        while left > 0, isWanted() {
            let part = try await letters(from: from, through: last, &page)
            for letter in part.letters where filter.wants(letter) {
                guard left > 0, isWanted() else { return }
                left -= 1
                try await body(letter)
            }
            guard !part.isLast, let end = part.letters.last else { return }
            from = "(\(end.id)"
        }
    }

    func letter(_ id: StreamID) async throws(Failure) -> FoundLetter? {
        var page = LetterPage(wanted: 1)
        return try await letters(from: "\(id)", through: id, &page).letters.first
    }

    /// Deletes letters. Returns how many there were.
    func drop(_ ids: [StreamID]) async throws(Failure) -> Int {
        let reply = try await send(RESPCommand(["XDEL", key] + ids.map(\.description)))
        return Int(reply.int ?? 0)
    }

    /// Deletes a letter that was handled, also through a failover: else it would be handled again.
    func dropHandled(_ id: StreamID) async throws(Failure) {
        let deadline = ContinuousClock.now + Self.longestDrop
        var backoff = Backoff(first: .milliseconds(100), cap: .seconds(1))
        while true {
            do throws(RedisError) {
                _ = try await client.send(RESPCommand("XDEL", key, "\(id)"), key: key)
                return
            } catch {
                guard !error.isPermanent, ContinuousClock.now < deadline, !Task.isCancelled else {
                    throw failure(error)
                }
            }
            try? await Task.sleep(for: backoff.next())
        }
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
        let reply = try await send(RESPCommand("XREVRANGE", key, "+", "-", "COUNT", "1"), timeout: Self.patience)
        return (reply.array ?? []).compactMap(FoundLetter.init).first?.id
    }

    private struct Part {
        var letters: [FoundLetter]
        var isLast: Bool
    }

    /// A page, or less of it where that cannot be had at once.
    private func letters(
        from: String, through last: StreamID, _ page: inout LetterPage
    ) async throws(Failure) -> Part {
        while true {
            let asked = page.limit
            let command = RESPCommand("XRANGE", key, from, "\(last)", "COUNT", "\(asked)")
            let reply: RESPValue
            do throws(RedisError) {
                // A reply that is too large ends its connection, and would come again to a patient caller.
                reply = try await client.send(command, key: key, timeout: Self.patience, isPatient: false)
            } catch {
                guard !error.isPermanent else { throw failure(error) }
                // What is late would keep the next reply waiting behind it.
                if error.kind == .timeout, let node = client.node(for: key) { nodes[node].reconnect() }
                // A server with a limit for its output closes, too.
                if [.timeout, .protocolViolation, .closed].contains(error.kind), page.failed() { continue }
                switch error.kind {
                case .timeout: throw failure(error)
                case .protocolViolation:
                    let place = from.hasPrefix("(") ? "behind \(from.dropFirst())" : "from \(from) on"
                    throw Failure(.internal, "the first letter \(place) cannot be read: \(error)")
                // It passes.
                default: reply = try await send(command, timeout: Self.patience)
                }
            }
            let entries = reply.array ?? []
            page.answered(count: entries.count, bytes: entries.reduce(0) { $0 + $1.bytesWithin })
            return Part(letters: entries.compactMap(FoundLetter.init), isLast: entries.count < asked)
        }
    }

    private func send(_ command: RESPCommand, timeout: Duration = .seconds(2)) async throws(Failure) -> RESPValue {
        do throws(RedisError) { return try await client.send(command, key: key, timeout: timeout) } catch {
            throw failure(error)
        }
    }

    private func failure(_ error: RedisError) -> Failure {
        guard case .reply(let reply) = error.kind, reply.code == "WRONGTYPE" else { return Failure(error) }
        return .usage("--dead-letter: \(key) is no stream")
    }
}

extension RESPValue {
    /// Of all texts in it.
    fileprivate var bytesWithin: Int {
        switch self {
        case .bulk(let buffer): buffer.readableBytes
        case .array(let elements): elements.reduce(0) { $0 + $1.bytesWithin }
        case .simple, .error, .integer, .null: 0
        }
    }
}
