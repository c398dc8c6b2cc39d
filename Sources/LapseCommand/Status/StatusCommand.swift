import ArgumentParser
import Console
import FoundationEssentials
import Glibc
import Lapse
import LeaderElection
import Logging

/// `lapse status`: who leads, and how far the leader is.
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Read from Redis who leads, since when, and how far the leader is on every node.",
        discussion: """
            Exit code 0 when there is a leader, 1 when there is none; when too little can be read to tell, 69, or 77 when \
            reading was refused.
            """)

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup(title: "Election") var election: GivenOptions<Election>
    @OptionGroup var results: GivenOptions<Results>

    func run() async throws {
        let values = try await OptionValues(given: connection, election, results)
        var configuration = ProcessorConfiguration(name: try values(Election.name) ?? "default")
        try configuration.connect(values)
        configuration.registers = try values(Election.registers)
        configuration.lockServers = try values.all(Election.lockServers)
        do { try configuration.validate() } catch { throw Failure(error) }
        let logger = Logger(label: "lapse") { _ in SwiftLogNoOpLogHandler() }
        let access = try RedisAccess(configuration, logger: logger)
        // Last: whatever throws behind it must shut it down.
        let store = try StoreOptions(values).open(
            election: ElectionConfiguration(name: configuration.name, id: configuration.id), logger: logger)
        let report: GroupReport
        do {
            report = try await GroupObserver(access, configuration, store: store).look()
        } catch {
            await store?.shutDown()
            await access.shutDown()
            throw error
        }
        await store?.shutDown()
        await access.shutDown()
        if try values(Results.json) == true {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
            try await StandardStream.print(String(decoding: try encoder.encode(report), as: UTF8.self))
        } else {
            try await StandardStream.print(report.lines.joined(separator: "\n"))
        }
        switch report.state {
        case .led: break
        case .vacant: throw ExitCode(Failure.Code.negative.rawValue)
        case .unknown: throw Failure(.unreachable, report.unknownReason)
        case .refused: throw Failure(.denied, report.unknownReason)
        }
    }
}
