import Console
import FoundationEssentials
import Lapse
import LapseHandlers
import LeaderElection
import Logging
import RedisClient

/// Handles letters again, one after the other, and deletes each that succeeds.
struct DeadLetterRetry: Sendable {
    private let letters: DeadLetterStream
    /// Nil for a handler.
    private let stream: String?
    private let handler: HandlerChoice
    private let handling: Handling
    private let timeout: Duration
    /// What of a key stands in log lines.
    private let keys: KeyDisclosure
    private let logger: Logger

    init(_ values: OptionValues, _ letters: DeadLetterStream, logger: Logger) throws {
        let rows = [
            Running.handler.row, Running.exec.row, Running.execStream.row, Webhook.url.row, Streaming.stream.row,
        ]
        guard rows.contains(where: { values.isGiven($0) }) else {
            throw Failure.usage(
                "what is to handle them? Give --exec, --webhook or --handler, as for lapse run, or --stream")
        }
        stream = try values(Retrying.stream)
        var configuration = ProcessorConfiguration(id: try values(Candidacy.id) ?? ElectionConfiguration.uniqueID())
        if let value = try values(Running.handlerTimeout) { configuration.handlerTimeout = value }
        if let value = try values(LogLines.keys) { configuration.logKeys = value }
        do { try configuration.validate() } catch { throw Failure(error) }
        handler = try HandlerChoice(
            values, configuration, environment: ProcessInfo.processInfo.environment)
        handling = handler.handling(
            .init(replica: configuration.id, logger: logger, keys: configuration.logKeys, onBroken: { _ in }))
        timeout = configuration.handlerTimeout
        keys = configuration.logKeys
        self.letters = letters
        self.logger = logger
    }

    func run(_ choice: DeadLetterChoice) async throws {
        let counts: Counts
        do {
            counts = try await handle(choice)
            await handler.shutDown()
        } catch {
            await handler.shutDown()
            throw error
        }
        // Stdout may be the handler's.
        logger.info(
            "dead letters retried",
            metadata: ["handled": .stringConvertible(counts.handled), "failed": .stringConvertible(counts.failed)])
        if counts.failed > 0 {
            throw Failure(.negative, "\(counts.failed) letters are still there: see the lines above")
        }
    }

    private struct Counts {
        var handled = 0
        var failed = 0
    }

    private func handle(_ choice: DeadLetterChoice) async throws -> Counts {
        var counts = Counts()
        let trap = SignalTrap { _ in }
        switch choice {
        case .named(let ids):
            for id in ids where trap.signal == nil {
                guard let letter = try await letters.letter(id) else { throw letters.missing(id) }
                try await handle(letter, &counts)
            }
        case .matching(let filter, let limit):
            let now = try await letters.now()
            try await letters.each(filter, now: now, limit: limit, isWanted: { trap.signal == nil }) {
                try await handle($0, &counts)
            }
        }
        return counts
    }

    private func handle(_ letter: FoundLetter, _ counts: inout Counts) async throws {
        do {
            let record = try letter.record.get()
            try await handle(record, writtenAt: letter.id.milliseconds)
        } catch {
            counts.failed += 1
            logger.error("dead letter not handled", metadata: ["id": "\(letter.id)", "error": "\(error)"])
            return
        }
        try await drop(letter, &counts)
    }

    private func handle(_ record: DeadLetterRecord, writtenAt milliseconds: UInt64) async throws {
        if let reason = record.noExpiration { throw Failure(.negative, reason) }
        if let stream { return try await letters.append(record, to: stream) }
        let attempt = Int(min(record.attempts, UInt64(Int32.max - 1))) + 1
        try await Handling.unlessLate(timeout) { [handling, logger, keys] in
            try await handling.call(
                record.expiration(receivedMilliseconds: milliseconds), term: record.term,
                token: FencingToken(rawValue: record.token), attempt: attempt, logger: logger,
                keys: keys)
        }
    }

    /// A failure ends the run: the next one would be handled and not deleted either.
    private func drop(_ letter: FoundLetter, _ counts: inout Counts) async throws {
        do throws(Failure) { try await letters.dropHandled(letter.id) } catch {
            throw Failure(error.code, "letter \(letter.id) was handled and is still there: \(error)")
        }
        counts.handled += 1
        logger.info("dead letter handled", metadata: ["id": "\(letter.id)"])
    }
}
