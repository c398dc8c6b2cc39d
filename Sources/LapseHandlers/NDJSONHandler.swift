import FoundationEssentials
package import Lapse
import LeaderElection
import Timing

/// Prints every expiration as one line of JSON, for a program that reads them from a pipe.
package struct NDJSONHandler: Sendable {
    private let replica: String
    private let output: LineOutput

    /// - Parameter replica: this replica's id.
    package init(replica: String, output: LineOutput) {
        self.replica = replica
        self.output = output
    }

    /// Returns when the line has been written; throws when it is no longer read.
    @Sendable package func callAsFunction(_ expiration: Expiration, _ context: HandlerContext) async throws {
        try await output.write(
            Self.line(
                expiration, replica: replica, term: context.term, token: context.fencingToken.rawValue,
                attempt: context.attempt, handledAt: Int64(WallClock.milliseconds())))
    }

    /// - Parameter handledAt: milliseconds since 1970.
    package static func line(
        _ expiration: Expiration, replica: String, term: UInt64, token: UInt64, attempt: Int, handledAt: Int64
    ) -> [UInt8] {
        var line = JSONLine()
        line.add("key", otherwise: "keyBase64", expiration.key.bytes)
        line.add("database", expiration.database)
        line.add("node", expiration.node)
        line.add("runId", expiration.position.runID)
        line.add("ordinal", expiration.position.ordinal)
        line.add("origin", expiration.origin.rawValue)
        line.add("replica", replica)
        line.add("term", term)
        line.add("token", token)
        line.add("attempt", attempt)
        let receivedAt = (expiration.receivedAt.timeIntervalSince1970 * 1000).rounded()
        line.add("receivedAt", UTCTime(milliseconds: Int64(receivedAt)))
        line.add("handledAt", UTCTime(milliseconds: handledAt))
        line.add("formatVersion", JSONLine.formatVersion)
        if let value = expiration.value { line.add("value", otherwise: "valueBase64", value) }
        return line.finish()
    }
}
