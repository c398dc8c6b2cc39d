package import Lapse
import LeaderElection
import Logging
import Timing

/// How the log's lines for expirations look.
package protocol HandledLineFormat: Sendable {
    /// A line for each. - Parameter milliseconds: when they are handled, since 1970.
    func lines(_ batch: ExpirationBatch, term: UInt64, at milliseconds: Int64) -> Lines
}

/// Logs every expiration: the handler for a first look, and for those who want nothing but the log.
package struct LoggingHandler: Sendable {
    /// How the lines look, and where they go; nil for the context's logger.
    private let log: (any HandledLineFormat)?
    private let keys: KeyDisclosure
    private let put: Put

    /// Writes some lines at once, where other lines of the log go, and returns why they were not taken.
    package typealias Put = @Sendable (ArraySlice<UInt8>) async -> (any Error)?

    /// - Parameter put: returns nil where the log cannot be written at all: that fails no expiration, for
    ///   it could not be told anywhere.
    package init(
        _ log: (any HandledLineFormat)? = nil, keys: KeyDisclosure = .full,
        put: @escaping Put = { _ in nil }
    ) {
        self.keys = keys
        self.log = log
        self.put = put
    }

    /// The lines of a batch in as few writes as leave each line whole.
    @Sendable package func callAsFunction(_ batch: ExpirationBatch, _ context: BatchContext) async throws -> BatchResult
    {
        guard let log else { return logOneByOne(batch, context) }
        let lines = log.lines(batch, term: context.term, at: Int64(WallClock.milliseconds()))
        var written = 0
        for (count, part) in lines.parts(upTo: Self.atOnce) {
            guard context.isLeading else {
                return BatchResult(handledUpTo: written, of: batch.count, error: LeaseLapsed())
            }
            if let error = await put(part) { return BatchResult(handledUpTo: written, of: batch.count, error: error) }
            written += count
        }
        return .handled
    }

    /// What a pipe takes whole, so that lines of others never stand in the middle of one: `PIPE_BUF`,
    /// pipe(7).
    private static let atOnce = 4096

    private func logOneByOne(_ batch: ExpirationBatch, _ context: BatchContext) -> BatchResult {
        var logger = context.logger
        for (index, expiration) in batch.enumerated() {
            guard context.isLeading else {
                return BatchResult(handledUpTo: index, of: batch.count, error: LeaseLapsed())
            }
            logger[metadataKey: "key"] = "\(keys.text(expiration.key))"
            logger[metadataKey: "node"] = "\(expiration.node)"
            logger.info("expiration handled", metadata: ["origin": "\(expiration.origin.rawValue)"])
        }
        return .handled
    }
}
