import ArgumentParser
import Console
import FoundationEssentials
import Lapse
import LapseHandlers
import Logging
import RedisClient

/// `lapse dead-letters`: the expirations that no attempt could handle.
struct DeadLettersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead-letters",
        abstract: "List, show, retry or drop the expirations that no attempt could handle.",
        discussion: """
            They are entries of the stream that --dead-letter names, by which `lapse run` wrote them. Exit codes: 0 done, 1 a \
            letter is not there or could not be handled, 64 usage, 69 Redis not reached, 77 authentication or permission refused.
            """,
        subcommands: [List.self, Show.self, Retry.self, Drop.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "Print the letters, the oldest first.",
            discussion: "With --json a line for each.")

        @OptionGroup var connection: ConnectionOptions
        @OptionGroup(title: "Letters") var selection: GivenOptions<DeadLetterSelection>
        @OptionGroup var results: GivenOptions<Results>

        func run() async throws {
            let values = try await OptionValues(given: connection, selection, results)
            let filter = try DeadLetterFilter(values)
            let asJSON = try values(Results.json) == true
            try await DeadLetterStream.opened(values) { letters in
                var table = TextTable("ID", "SINCE", "ATTEMPTS", "DB", "KEY", "ERROR")
                let output = StandardStream.results()
                let now = try await letters.now()
                let limit = try values(DeadLetterSelection.limit) ?? DeadLetterSelection.standardLimit
                var isEmpty = true
                try await letters.each(filter, now: now, limit: limit, isWanted: { true }) { letter in
                    isEmpty = false
                    guard asJSON else { return letter.add(to: &table, now: now) }
                    try await output.write(letter.json(now: now))
                }
                if isEmpty, !asJSON { return try await StandardStream.print("no dead letters that match") }
                if !asJSON { try await StandardStream.print(table.lines.joined(separator: "\n")) }
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show", abstract: "Print all that is known of a letter.")

        @OptionGroup var connection: ConnectionOptions
        @OptionGroup(title: "Letters") var place: GivenOptions<DeadLetterPlace>
        @OptionGroup var results: GivenOptions<Results>
        @Argument(help: "The letter's ID, as list prints it.") var id: String

        func run() async throws {
            let values = try await OptionValues(given: connection, place, results)
            let id = try DeadLetterChoice.id(id)
            let asJSON = try values(Results.json) == true
            try await DeadLetterStream.opened(values) { letters in
                guard let letter = try await letters.letter(id) else { throw letters.missing(id) }
                let now = try await letters.now()
                if asJSON {
                    try await StandardStream.results().write(letter.json(now: now))
                } else {
                    try await StandardStream.print(letter.text(now: now))
                }
            }
        }
    }

    struct Drop: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "drop",
            abstract: "Delete letters for good: those named, or with --all-matching all that match.")

        @OptionGroup var connection: ConnectionOptions
        @OptionGroup(title: "Letters") var selection: GivenOptions<DeadLetterSelection>
        @OptionGroup var matching: GivenOptions<DeadLetterMatching>
        @Argument(help: "Their IDs, as list prints them.") var ids: [String] = []

        func run() async throws {
            let values = try await OptionValues(given: connection, selection, matching)
            let choice = try DeadLetterChoice(ids, values)
            try await DeadLetterStream.opened(values) { letters in
                let now = try await letters.now()
                var dropped = 0
                switch choice {
                case .named(let ids):
                    for id in ids {
                        guard try await letters.drop([id]) == 1 else { throw letters.missing(id) }
                        dropped += 1
                    }
                case .matching(let filter, let limit):
                    var found: [StreamID] = []
                    try await letters.each(filter, now: now, limit: limit, isWanted: { true }) { letter in
                        found.append(letter.id)
                        guard found.count == LetterPage.most else { return }
                        dropped += try await letters.drop(found)
                        found = []
                    }
                    if !found.isEmpty { dropped += try await letters.drop(found) }
                }
                try await StandardStream.print("dropped \(dropped)")
            }
        }
    }

    struct Retry: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "retry",
            abstract: "Handle letters again, here and now, one after the other; each that succeeds is deleted.",
            discussion: """
                By --exec, --webhook or --handler, as `lapse run` has them, or by appending them to a --stream. It is one more attempt for each, with the term and \
                the fencing token of the leader that gave up: what has seen a larger token may refuse. A letter that fails stays. \
                One whose handler succeeds while Redis cannot delete it is still there, and may be handled twice.
                """)

        @OptionGroup var connection: ConnectionOptions
        @OptionGroup(title: "Letters") var selection: GivenOptions<DeadLetterSelection>
        @OptionGroup var matching: GivenOptions<DeadLetterMatching>
        @OptionGroup(title: "Handler") var retrying: GivenOptions<Retrying>
        @OptionGroup(title: "Webhook") var webhook: GivenOptions<Webhook>
        @OptionGroup(title: "Logs") var logLines: GivenOptions<LogLines>
        @Argument(help: "Their IDs, as list prints them.") var ids: [String] = []

        func run() async throws {
            let values = try await OptionValues(given: connection, selection, matching, retrying, webhook, logLines)
            let choice = try DeadLetterChoice(ids, values)
            let logger = try values.bootstrapLogging()
            try await DeadLetterStream.opened(values, logger: logger) { letters in
                try await DeadLetterRetry(values, letters, logger: logger).run(choice)
            }
        }
    }
}
