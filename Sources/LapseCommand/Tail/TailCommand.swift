import ArgumentParser
import Console
import Glibc
import Lapse
import Logging

/// How results are printed.
enum Results: OptionGroupTable {
    static let json = Setting.flag("json", "Print JSON.")
    static let rows = [json.row]
}

/// `lapse tail`: every node's expirations as they come.
struct TailCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tail", abstract: "Print the expirations of every node, without taking part in the election.",
        discussion: "A line is: time, node, database, key. What a node announces twice is printed twice.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup(title: "Keys") var wanted: GivenOptions<Wanted>
    @OptionGroup var results: GivenOptions<Results>
    @OptionGroup(title: "Logs") var logLines: GivenOptions<LogLines>

    func run() async throws {
        let values = try await OptionValues(given: connection, wanted, results, logLines)
        let logger = try values.bootstrapLogging()
        var configuration = ProcessorConfiguration(match: try values.all(Wanted.match))
        configuration.ignore = try values.all(Wanted.ignore)
        configuration.databases = try values.all(Wanted.database)
        try configuration.connect(values)
        let access = try RedisAccess(configuration, logger: logger)
        let tail = ExpirationTail(
            access, configuration, format: try values(Results.json) == true ? .json : .text, logger: logger)
        let trap = SignalTrap { _ in tail.stop() }
        do {
            try await tail.run()
        } catch let failure as Failure where failure.code == .unreachable && trap.signal != nil {
            // Stopped before Redis was reached, as asked.
        } catch {
            await access.shutDown()
            throw error
        }
        withExtendedLifetime(trap) {}
        await access.shutDown()
    }
}
