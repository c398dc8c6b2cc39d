import Lapse
import Logging
import Timing

/// What a program says that is no answer to a question: told once a minute, with how often.
struct Strays {
    private let logger: Logger
    private var limit = LineLimit(every: .seconds(60))

    init(_ logger: Logger) { self.logger = logger }

    /// - Parameters:
    ///   - line: nil for one that was too long.
    ///   - answered: false for an answer to nothing that was asked.
    mutating func look(_ line: ArraySlice<UInt8>?, _ answered: (ProgramAnswer) -> Bool) {
        guard let line else { return tell("a line is longer than \(AnswerLines.limit) bytes", []) }
        guard !line.isEmpty else { return }
        guard let answer = ProgramAnswer(line) else { return tell("a line is neither an id nor an answer", line) }
        if !answered(answer) { tell("an id was not asked, or has been answered", line) }
    }

    private mutating func tell(_ reason: String, _ line: ArraySlice<UInt8>) {
        guard let count = limit.happened(now: SystemClock.read().monotonic) else { return }
        logger.warning(
            "program answers what it was not asked",
            metadata: [
                "reason": "\(reason)", "line": "\(String(decoding: line.prefix(200), as: UTF8.self))",
                "count": .stringConvertible(count),
                "fix": "write the id of each line that was read, once, and nothing else, to stdout; flush it",
            ])
    }
}

/// What a program writes to stderr: up to 64 KiB in ten seconds.
struct ProgramLog {
    private static let span = Duration.seconds(10)

    private let logger: Logger
    private var lines: OutputLines
    private var began = ContinuousClock.now

    init(_ logger: Logger) {
        self.logger = logger
        lines = Self.lines(logger)
    }

    mutating func append(_ bytes: ArraySlice<UInt8>) {
        if .now - began > Self.span {
            lines.finish()
            lines = Self.lines(logger)
            began = .now
        }
        lines.append(bytes)
    }

    mutating func finish() { lines.finish() }

    private static func lines(_ logger: Logger) -> OutputLines {
        OutputLines { logger.info("program output", metadata: ["line": "\($0)"]) }
    }
}
