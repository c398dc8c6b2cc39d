import ArgumentParser
import Foundation

/// What Lapse costs, how late it is, and how it grows.
@main
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lapse-bench", abstract: "Measures on real servers, everything of one table in one run.",
        subcommands: [
            AllCommand.self, CostCommand.self, LatencyCommand.self, MemoryCommand.self, ScaleCommand.self,
            TakeoverCommand.self, CrashCommand.self, OnTimeCommand.self, WebhooksCommand.self, SleeperCommand.self,
            ReceiverCommand.self, PosterCommand.self,
        ],
        defaultSubcommand: AllCommand.self)
}

/// The command under measurement.
struct LapseExecutable: ParsableArguments {
    @Option(help: "The lapse executable; by default the one built beside this.") var binary: String?

    var path: String {
        binary ?? URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent().appending(path: "lapse").path
    }
}

/// Rows, as they come.
enum Console {
    /// At once, also into a file: a row is a minute of work.
    static func show(_ line: String) { FileHandle.standardOutput.write(Data("\(line)\n".utf8)) }
}
