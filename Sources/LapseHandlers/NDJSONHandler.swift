package import Lapse
import LeaderElection
import RESP
import Timing

/// Prints every expiration as one line of JSON, for a program that reads them from a pipe: those of a
/// batch in one write.
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

/// The lines of one batch. What an expiration has in common with the one before is written once and
/// copied.
package struct NDJSONFormat {
    private let replica: String
    private let term: UInt64
    private let token: UInt64
    private let handledAt: UTCTime
    private var number = DecimalText()
    /// The expiration before, and what it has in common with the next one: from the key's end to the
    /// ordinal, and from there on.
    private var last: (expiration: Expiration, receivedAt: UInt64, attempt: Int)?
    private var beforeOrdinal: [UInt8] = []
    private var afterOrdinal: [UInt8] = []
    private var template = LineTemplate()

    /// - Parameter handledAt: milliseconds since 1970.
    package init(replica: String, term: UInt64, token: UInt64, handledAt: Int64) {
        self.replica = replica
        self.term = term
        self.token = token
        self.handledAt = UTCTime(milliseconds: handledAt)
    }

    package mutating func lines(_ batch: ExpirationBatch) -> Lines {
        let beforeKey = Array("{\"key\":\"".utf8)
        var lines = Lines(reserving: batch.count, bytes: batch.count * 384)
        for index in batch.indices {
            let expiration = batch[index]
            let attempt = batch.attempt(at: index)
            guard expiration.value == nil, expiration.withKey({ $0.isPlainWord }) else {
                lines.append { write(expiration, attempt, to: &$0) }
                continue
            }
            prepare(expiration, attempt)
            number.set(expiration.ordinal)
            guard expiration.knownDeadline != nil || !append(expiration, to: &lines) else { continue }
            lines.append { bytes in
                let begin = bytes.count
                bytes.append(contentsOf: beforeKey)
                expiration.withKey { bytes.append(copying: $0) }
                let key = begin + beforeKey.count..<bytes.count
                bytes.append(contentsOf: beforeOrdinal)
                let ordinal = bytes.count
                bytes.append(contentsOf: number.digits)
                let digits = ordinal..<bytes.count
                bytes.append(contentsOf: afterOrdinal)
                if let deadline = expiration.knownDeadline {
                    JSONLine.append(moreTo: &bytes) { $0.add(deadline) }
                }
                bytes.append(UInt8(ascii: "}"))
                bytes.append(UInt8(ascii: "\n"))
                if expiration.knownDeadline == nil { template.take(bytes[begin...], key: key, digits: digits) }
            }
        }
        return lines
    }

    /// Writes the line before once more, with another key and another ordinal; false when they do not fit.
    private func append(_ expiration: Expiration, to lines: inout Lines) -> Bool {
        expiration.withKey { key in
            guard template.fits(key: key.byteCount, digits: number.digits.count) else { return false }
            lines.append { template.append(to: &$0, key, number.digits) }
            return true
        }
    }

    /// The line of one alone.
    package mutating func line(_ expiration: Expiration, attempt: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        write(expiration, attempt, to: &bytes)
        return bytes
    }

    private mutating func prepare(_ expiration: Expiration, _ attempt: Int) {
        let received = expiration.receivedMilliseconds
        if let last, last.receivedAt == received, last.attempt == attempt, last.expiration.isBeside(expiration) {
            return
        }
        last = (expiration, received, attempt)
        template.clear()
        let before = JSONLine.fields { addPlace(expiration, &$0) }
        let after = JSONLine.fields { addRest(expiration, attempt, &$0) }
        beforeOrdinal = Array("\",".utf8) + before + Array(",\"ordinal\":".utf8)
        afterOrdinal = Array(",".utf8) + after
    }

    /// One with a value, or with a key in which something is to be escaped.
    private func write(_ expiration: Expiration, _ attempt: Int, to bytes: inout [UInt8]) {
        JSONLine.append(to: &bytes) { line in
            expiration.withKey { line.add("key", otherwise: "keyBase64", $0) }
            addPlace(expiration, &line)
            line.add("ordinal", expiration.ordinal)
            addRest(expiration, attempt, &line)
            line.add(expiration.knownDeadline)
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
        let isNext = new == number &+ 1
        number = new
        guard isNext else {
            digits = Array(String(new).utf8)
            return
        }
        var place = digits.count - 1
        while place >= 0, digits[place] == UInt8(ascii: "9") {
            digits[place] = UInt8(ascii: "0")
            place -= 1
        }
        if place >= 0 { digits[place] += 1 } else { digits.insert(UInt8(ascii: "1"), at: 0) }
    }
}
