package import Lapse
import LeaderElection
import Timing

/// Prints every expiration as one line of JSON, for a program that reads them from a pipe: those of a batch in one write.
package struct NDJSONHandler: Sendable {
    private let replica: String
    private let output: LineOutput

    /// - Parameter replica: this replica's id.
    package init(replica: String, output: LineOutput) {
        self.replica = replica
        self.output = output
    }

    /// Returns when the lines have been written; those that could not be have failed.
    @Sendable package func callAsFunction(_ batch: ExpirationBatch, _ context: BatchContext) async throws -> BatchResult
    {
        var format = NDJSONFormat(
            replica: replica, term: context.term, token: context.fencingToken.rawValue,
            handledAt: Int64(WallClock.milliseconds()))
        let outcome = await output.write(format.lines(batch)) { context.isLeading }
        guard let error = outcome.error else { return .handled }
        return BatchResult(handledUpTo: outcome.lines, of: batch.count, error: error)
    }
}

/// The lines of one batch. What they have in common is written once and copied.
package struct NDJSONFormat {
    /// From the replica to the attempt, and from the time of handling to the end.
    private let middle: [UInt8]
    private let end: [UInt8]
    /// The process of the expiration before, and how it is written.
    private var process: (node: String, runID: String, text: [UInt8])?
    private var received = WrittenTime()

    /// - Parameter handledAt: milliseconds since 1970.
    package init(replica: String, term: UInt64, token: UInt64, handledAt: Int64) {
        middle = JSONLine.fields { line in
            line.add("replica", replica)
            line.add("term", term)
            line.add("token", token)
        }
        end = JSONLine.fields { line in
            line.add("handledAt", UTCTime(milliseconds: handledAt))
            line.add("formatVersion", JSONLine.formatVersion)
        }
    }

    package mutating func lines(_ batch: ExpirationBatch) -> Lines {
        var lines = Lines(reserving: batch.count, bytes: batch.count * 384)
        for index in batch.indices {
            let expiration = batch[index]
            lines.append { write(expiration, attempt: batch.attempt(at: index), to: &$0) }
        }
        return lines
    }

    private mutating func write(_ expiration: Expiration, attempt: Int, to bytes: inout [UInt8]) {
        JSONLine.append(to: &bytes) { line in
            expiration.withKey { line.add("key", otherwise: "keyBase64", $0) }
            line.add("database", expiration.database)
            line.add(written: text(of: expiration))
            line.add("ordinal", expiration.ordinal)
            line.add("origin", expiration.origin.rawValue)
            line.add(written: middle)
            line.add("attempt", attempt)
            line.add("receivedAt", plain: received.text(Int64(clamping: expiration.receivedMilliseconds)))
            line.add(written: end)
            if let value = expiration.value { line.add("value", otherwise: "valueBase64", value) }
        }
    }

    private mutating func text(of expiration: Expiration) -> [UInt8] {
        let (node, runID) = (expiration.node, expiration.runID)
        if let process, process.runID == runID, process.node == node { return process.text }
        let text = JSONLine.fields { line in
            line.add("node", node)
            line.add("runId", runID)
        }
        process = (node, runID, text)
        return text
    }
}

/// The time of the expiration before: many come in one millisecond.
private struct WrittenTime {
    private var milliseconds: Int64 = .min
    private var bytes: [UInt8] = []

    mutating func text(_ time: Int64) -> [UInt8] {
        if time != milliseconds {
            milliseconds = time
            bytes.removeAll(keepingCapacity: true)
            UTCTime(milliseconds: time).write(to: &bytes)
        }
        return bytes
    }
}
