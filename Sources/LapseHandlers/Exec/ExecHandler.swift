import ExpirationStream
import FoundationEssentials
package import Lapse
import LeaderElection
import Logging
import Processes
import RESP
import Timing

/// Runs a program for each expiration: its facts in the environment, and as one line of JSON on stdin.
///
/// Exit code 0 says that it is handled, 75 (EX_TEMPFAIL) that it is to be tried again; any other one is
/// a failure. Each is an attempt. What it prints goes into the log. At the timeout and at the end of
/// the term its process group is killed.
package struct ExecHandler: Sendable {
    private let replica: String
    private let words: [String]
    private let hidden: Set<String>

    /// - Parameters:
    ///   - words: the program and its arguments; no shell reads them.
    ///   - replica: this replica's id.
    ///   - hidden: variables of this process that do not reach the program.
    package init(_ words: [String], replica: String, without hidden: Set<String> = []) {
        self.words = words
        self.replica = replica
        self.hidden = hidden
    }

    @Sendable package func callAsFunction(_ expiration: Expiration, _ context: HandlerContext) async throws {
        let now = WallClock.milliseconds()
        var format = NDJSONFormat(
            replica: replica, term: context.term, token: context.fencingToken.rawValue, handledAt: Int64(now))
        let input = format.line(expiration, attempt: context.attempt)
        let logger = context.logger
        let run = ProgramRun(
            words: words, environment: facts(expiration, context), hidden: hidden, input: input)
        let end = try await run.end(ifStill: { context.isLeading }) {
            logger.info("program output", metadata: ["line": "\($0)"])
        }
        guard end != .exited(0) else { return }
        throw ProgramFailed(program: words[0], end: end)
    }

    /// What a shell script wants to know without a parser for JSON.
    private func facts(_ expiration: Expiration, _ context: HandlerContext) -> [String: String] {
        let key = expiration.key.bytes
        var facts: [String: String] = [
            "LAPSE_DATABASE": "\(expiration.database)", "LAPSE_NODE": "\(expiration.node)",
            "LAPSE_RUN_ID": expiration.runID, "LAPSE_ORDINAL": "\(expiration.ordinal)",
            "LAPSE_ORIGIN": expiration.origin.rawValue, "LAPSE_ID": replica, "LAPSE_TERM": "\(context.term)",
            "LAPSE_TOKEN": "\(context.fencingToken.rawValue)", "LAPSE_ATTEMPT": "\(context.attempt)",
            "LAPSE_RECEIVED_AT": UTCTime(milliseconds: Int64(clamping: expiration.receivedMilliseconds)).text,
            "LAPSE_EVENT_ID": EventID.of(
                runID: expiration.runID, ordinal: expiration.ordinal, database: expiration.database, key: key,
                value: expiration.value),
        ]
        if let deadline = expiration.knownDeadline {
            facts["LAPSE_DEADLINE"] = UTCTime(milliseconds: Int64(clamping: deadline.milliseconds)).text
            facts["LAPSE_LAG_MS"] = "\(deadline.lagMilliseconds)"
        }
        // Linux takes no variable of more than 128 KiB: such a key is on stdin only.
        guard key.count <= 64 << 10 else { return facts }
        // A variable cannot hold a zero byte.
        if let text = String(validating: key, as: UTF8.self), !key.contains(0) {
            facts["LAPSE_KEY"] = text
        } else {
            facts["LAPSE_KEY_BASE64"] = Data(key).base64EncodedString()
        }
        return facts
    }
}

/// A program did not handle an expiration.
package struct ProgramFailed: Error, Equatable, CustomStringConvertible {
    let program: String
    let end: ProgramRun.End

    package var description: String {
        switch end {
        case .exited(75): "\(program) asks to be called again (exit code 75)"
        case .exited(let code): "\(program) ended with exit code \(code)"
        case .killed(let signal): "\(program) was ended by signal \(signal)"
        }
    }
}
