import ArgumentParser
import Console
import FoundationEssentials
import Lapse

/// How `lapse trace` is told of a key that no command line can hold.
enum Tracing: OptionGroupTable {
    static let base64 = Setting.text(
        OptionRow(name: "key-base64", value: "base64", help: "The key's bytes, for one that is no text."))
    static let rows = [base64.row]
}

/// `lapse trace`: what became of a key.
struct TraceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace",
        abstract: "Tell what became of a key: announced, heard, handed out, handled, failed or lost.",
        discussion: """
            Examples:
              lapse trace session:42
              lapse trace --name sessions --json session:42
              lapse trace --key-base64 /wA=

            Every replica that runs tells what it still knows: some minutes under load, for 16 MiB at most. Of a leader that has died \
            the next one tells what its progress said. Needs the right to write where the replicas keep their progress. Exit code \
            0 when a replica knows of the key, 1 when none does, 69 when none answers.
            """)

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup(title: "Election") var election: GivenOptions<Election>
    @OptionGroup(title: "Key") var tracing: GivenOptions<Tracing>
    @OptionGroup var results: GivenOptions<Results>
    @Argument(help: "The key that expired.") var key: String?

    /// How long replicas may take to answer.
    private static let patience = Duration.seconds(4)

    func run() async throws {
        let values = try await OptionValues(given: connection, election, tracing, results)
        let question = try question(values)
        let asJSON = try values(Results.json) == true
        try await SteeredGroup.with(values) { group in
            let replicas = try await group.board.look().replicas
            guard !replicas.isEmpty else {
                throw Failure(.unreachable, "no replica is alive that could tell: is --name right? (lapse status)")
            }
            let answers = try await group.inquiry.ask(question, replicas: replicas, within: Self.patience)
            guard !answers.isEmpty else {
                throw Failure(
                    .unreachable,
                    "none of \(replicas.count) replicas has answered within \(Self.patience): are they older than this command?"
                )
            }
            let story = TraceStory(key: question.key, answers, silent: replicas.subtracting(answers.map(\.replica)))
            if asJSON {
                let encoder = JSONEncoder()
                encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
                try await StandardStream.print(String(decoding: try encoder.encode(story), as: UTF8.self))
            } else {
                try await StandardStream.print(story.lines.joined(separator: "\n"))
            }
            guard story.occurrences.isEmpty else { return }
            throw ExitCode(Failure.Code.negative.rawValue)
        }
    }

    private func question(_ values: OptionValues) throws(Failure) -> TraceQuestion {
        let bytes: [UInt8]
        switch (key, try values(Tracing.base64)) {
        case (let text?, nil): bytes = Array(text.utf8)
        case (nil, let base64?):
            guard let data = Data(base64Encoded: base64) else {
                throw .usage("--key-base64: '\(Printable.text(base64))' is no base64")
            }
            bytes = Array(data)
        default: throw .usage("trace: name one key, or give --key-base64")
        }
        guard let question = TraceQuestion(key: bytes) else {
            throw .usage(
                "trace: the key has \(bytes.count) bytes: at most \(TraceQuestion.keyLimit) can be asked about")
        }
        return question
    }
}
