import ArgumentParser
import Console
import FoundationEssentials
import Lapse
import LeaderElection
import Logging

/// `lapse config`: the options of `lapse run` as they are understood, without a look at any server.
struct ConfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Check or show the options of lapse run, each with where it comes from.",
        subcommands: [ConfigCheckCommand.self, ConfigShowCommand.self])
}

/// `lapse config check`: would `lapse run` begin?
struct ConfigCheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Read the options as lapse run does, files too, and end.",
        discussion: """
            Exit code 0 when they make sense, 64 with the first mistake. No server is asked: lapse doctor does that.
            """)

    @OptionGroup var options: RunOptionGroups

    func run() async throws {
        let values = try await options.values()
        var configuration = try ProcessorConfiguration(values)
        _ = try HandlerChoice(values, configuration, environment: ProcessInfo.processInfo.environment)
        _ = try values(Running.admin)
        _ = try values(Supervising.supervise)
        _ = try values(Supervising.onCrash)
        _ = try values(Supervising.crashReport)
        _ = try values(LogLines.level)
        _ = try values.logFormat()
        // Opening reads URL and files; no server is asked.
        // Last: a later throw would have to shut it down.
        let store = try StoreOptions(values).open(
            election: ElectionConfiguration(
                name: configuration.name, id: configuration.id, leaseTTL: configuration.leaseTTL),
            logger: Logger(label: "lapse") { _ in SwiftLogNoOpLogHandler() })
        configuration.store = store
        let failure: Failure?
        do {
            try configuration.validate()
            failure = nil
        } catch { failure = Failure(error) }
        await store?.shutDown()
        if let failure { throw failure }
        try await StandardStream.print("ok")
    }
}

/// `lapse config show`: each option, its value, and where that was given.
struct ConfigShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Print each option with its value and where that comes from.",
        discussion: "What may hold a password is shown as set or not set. Nothing is checked: see lapse config check.")

    @OptionGroup var options: RunOptionGroups
    @OptionGroup var results: GivenOptions<Results>

    func run() async throws {
        let values = try await options.values()
        let shown = RunOptionGroups.rows.map { ShownOption($0, values) }
        guard try await OptionValues(given: results)(Results.json) != true else {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
            return try await StandardStream.print(String(decoding: try encoder.encode(shown), as: UTF8.self))
        }
        var table = TextTable("option", "value", "from")
        for option in shown { table.add("--\(option.option)", Printable.text(option.value ?? "-"), option.from) }
        try await StandardStream.print(table.lines.joined(separator: "\n"))
    }
}

/// One line of `lapse config show`.
struct ShownOption: Encodable, Equatable {
    var option: String
    /// Nil when it has none.
    var value: String?
    /// `command line`, a variable, a key of the file, `default` or `not set`.
    var from: String

    init(_ row: OptionRow, _ values: OptionValues) {
        option = row.name
        let given = values.given(row)
        from = given?.from ?? row.standardHelp.map { "not set: \($0)" } ?? "not set"
        if let given {
            let isStandard = given.texts == [row.standard].compactMap(\.self)
            let texts = given.texts.map { row.shown?($0) ?? $0 }
            value = row.isSecret && !isStandard ? "set" : texts.joined(separator: ", ")
        }
    }

    private enum CodingKeys: String, CodingKey { case option, value, from }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(option, forKey: .option)
        try container.encode(value, forKey: .value)
        try container.encode(from, forKey: .from)
    }
}
