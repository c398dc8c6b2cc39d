import LeaderElection
import Logging
import RESP
import RedisClient

/// Where expirations go that no attempt could handle: a stream, or the log.
struct DeadLetters: Sendable {
    /// A stream, and who reaches it.
    struct Stream: Sendable {
        var key: String
        var client: KeyedClient
    }

    /// Nil for the log.
    var stream: Stream?
    var logger: Logger

    /// Returns false when the stream could not be written.
    func bury(_ work: Work, error: String, term: Term) async -> Bool {
        let metadata: Logger.Metadata = [
            "key": "\(work.key)", "node": "\(work.node)", "position": "\(work.runID):\(work.ordinal)",
            "attempts": "\(work.attempt)", "error": "\(error)",
        ]
        guard let stream else {
            logger.error("dead-lettered", metadata: metadata)
            return true
        }
        var command = RESPCommand("XADD", stream.key, "*", "key")
        command.append(work.key.bytes)
        for word in [
            "database", "\(work.database)", "node", work.node, "runId", work.runID, "ordinal", "\(work.ordinal)",
            "origin", work.origin.rawValue, "attempts", "\(work.attempt)", "error", error, "term", "\(term.number)",
            "token", "\(term.token)",
        ] { command.append(word) }
        let limit = min(.seconds(2), max(term.lease.remaining, .milliseconds(1)))
        // Not cancelled with the round of a handler that overran, but never past the lease either.
        let failure = await Task { [command] () -> RedisError? in
            do throws(RedisError) {
                _ = try await stream.client.send(command, key: stream.key, timeout: limit)
                return nil
            } catch { return error }
        }.value
        guard let failure else {
            logger.error("dead-lettered", metadata: metadata)
            return true
        }
        logger.error("dead letter not written", metadata: ["stream": "\(stream.key)", "error": "\(failure)"])
        return false
    }
}
