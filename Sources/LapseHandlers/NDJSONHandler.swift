package import Lapse
import LeaderElection
import RESP
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

/// The lines of one batch. What an expiration has in common with the one before is written once and copied.
package struct NDJSONFormat {
    private let replica: String
    private let term: UInt64
    private let token: UInt64
    private let handledAt: UTCTime
    private var last: Common?
    private var number = DecimalText()

    /// What the line before consisted of, but for its key and its ordinal.
    private struct Common {
        var expiration: Expiration
        var receivedAt: UInt64
        var attempt: Int
        /// From the key's end to the ordinal, and from there on.
        var beforeOrdinal: [UInt8]
        var afterOrdinal: [UInt8]
    }

    /// - Parameter handledAt: milliseconds since 1970.
    package init(replica: String, term: UInt64, token: UInt64, handledAt: Int64) {
        self.replica = replica
        self.term = term
        self.token = token
        self.handledAt = UTCTime(milliseconds: handledAt)
    }

    package mutating func lines(_ batch: ExpirationBatch) -> Lines {
        var lines = Lines(reserving: batch.count, bytes: batch.count * 384)
        for index in batch.indices {
            let expiration = batch[index]
            let attempt = batch.attempt(at: index)
            guard expiration.value == nil, expiration.withKey(JSONLine.isPlain) else {
                lines.append { write(expiration, attempt, to: &$0) }
                continue
            }
            let common = common(of: expiration, attempt)
            number.set(expiration.ordinal)
            lines.append { bytes in
                bytes.append(contentsOf: Self.beforeKey)
                expiration.withKey { bytes.append(copying: $0) }
                bytes.append(contentsOf: common.beforeOrdinal)
                bytes.append(contentsOf: number.digits)
                bytes.append(contentsOf: common.afterOrdinal)
            }
        }
        return lines
    }

    private static let beforeKey = Array("{\"key\":\"".utf8)

    private mutating func common(of expiration: Expiration, _ attempt: Int) -> Common {
        let received = expiration.receivedMilliseconds
        if let last, last.expiration.isBeside(expiration), last.receivedAt == received, last.attempt == attempt {
            return last
        }
        let before = JSONLine.fields { addPlace(expiration, &$0) }
        let after = JSONLine.fields { addRest(expiration, attempt, &$0) }
        let common = Common(
            expiration: expiration, receivedAt: received, attempt: attempt,
            beforeOrdinal: Array("\",".utf8) + before + Array(",\"ordinal\":".utf8),
            afterOrdinal: Array(",".utf8) + after + Array("}\n".utf8))
        last = common
        return common
    }

    /// One with a value, or with a key in which something is to be escaped.
    private func write(_ expiration: Expiration, _ attempt: Int, to bytes: inout [UInt8]) {
        JSONLine.append(to: &bytes) { line in
            expiration.withKey { line.add("key", otherwise: "keyBase64", $0) }
            addPlace(expiration, &line)
            line.add("ordinal", expiration.ordinal)
            addRest(expiration, attempt, &line)
            if let value = expiration.value { line.add("value", otherwise: "valueBase64", value) }
        }
    }

    private func addPlace(_ expiration: Expiration, _ line: inout JSONLine) {
        line.add("database", expiration.database)
        line.add("node", expiration.node)
        line.add("runId", expiration.runID)
    }

    private func addRest(_ expiration: Expiration, _ attempt: Int, _ line: inout JSONLine) {
        line.add("origin", expiration.origin.rawValue)
        line.add("replica", replica)
        line.add("term", term)
        line.add("token", token)
        line.add("attempt", attempt)
        line.add("receivedAt", UTCTime(milliseconds: Int64(clamping: expiration.receivedMilliseconds)))
        line.add("handledAt", handledAt)
        line.add("formatVersion", JSONLine.formatVersion)
    }
}

/// A number in decimal digits. The next one differs in few of them.
private struct DecimalText {
    private(set) var digits = Array("0".utf8)
    private var number: UInt64 = 0

    mutating func set(_ new: UInt64) {
        guard new == number &+ 1, digits[digits.count - 1] < UInt8(ascii: "9") else {
            number = new
            digits = Array(String(new).utf8)
            return
        }
        number = new
        digits[digits.count - 1] += 1
    }
}
