import ArgumentParser
import Console
import FoundationEssentials
import Lapse
import LapseDoctor
import LapseHandlers
import LeaderElection
import Logging
import RedisClient

/// The options of `lapse doctor` that no other subcommand has, and what it must know of how `lapse run`
/// is started.
enum Examination: OptionGroupTable {
    static let fix = Setting.flag(
        "fix", "Add missing notify-keyspace-events flags by CONFIG SET, and look again. Nothing is ever taken away.")
    static let acl = Setting.flag(
        "acl",
        "Print the smallest ACL user for --name and end; with --fix or --notifications set one that may CONFIG SET.")

    /// Those that the table of all options does not have yet.
    static let own = [fix.row, acl.row]
    static let rows =
        own + [
            Candidacy.leaseTTL.row, Running.notifications.row, Running.deadLetter.row, Wanted.companion.row,
            Wanted.match.row, Wanted.ignore.row, Streaming.stream.row, Streaming.partitions.row, OnTime.punctual.row,
            Wanted.database.row,
        ]
}

/// `lapse doctor`: is everything as Lapse needs it?
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Check every node, and print what is wrong with the command that mends it.",
        discussion: """
            Examples:
              lapse doctor --redis redis://10.0.0.1:6379
              lapse doctor --fix                             sets what CONFIG SET can mend
              lapse doctor --acl --stream expired            the smallest ACL user for lapse run --stream expired

            Give it the options of `lapse run`: what endangers a lease depends on its length, its registers and its store. \
            Exit codes: 0 healthy (warnings and notes are no fault), 1 findings that break delivery or the lease, \
            64 usage, 69 Redis not reached, 77 authentication or permission refused.
            """)

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup(title: "Election") var election: GivenOptions<Election>
    @OptionGroup(title: "Examination") var examination: GivenOptions<Examination>
    @OptionGroup var results: GivenOptions<Results>

    func run() async throws {
        let values = try await OptionValues(given: connection, election, examination, results)
        var configuration = try ProcessorConfiguration(values)
        configuration.startupTimeout = configuration.startupTimeout ?? .seconds(5)
        let mayFix = try values(Examination.fix) ?? false
        let isJSON = try values(Results.json) ?? false
        if try values(Examination.acl) ?? false { return try await printUser(configuration, mayFix: mayFix) }

        // Last: a later throw would have to shut it down.
        let store = try StoreOptions(values).open(
            election: ElectionConfiguration(
                name: configuration.name, id: configuration.id, leaseTTL: configuration.leaseTTL),
            logger: Logger(label: "lapse") { _ in SwiftLogNoOpLogHandler() })
        configuration.store = store
        let report: DoctorReport
        do {
            report = try await look(configuration, mayFix: mayFix)
        } catch {
            await store?.shutDown()
            throw error
        }
        await store?.shutDown()
        try await print(report, asJSON: isJSON)
        if report.exitCode != 0 { throw ExitCode(report.exitCode) }
    }

    private func look(_ configuration: ProcessorConfiguration, mayFix: Bool) async throws -> DoctorReport {
        let limit = configuration.startupTimeout ?? .zero
        let doctor = try Doctor(configuration) {
            FatalLine.write("waiting for Redis, at most \(limit): \($0)", level: .warning)
        }
        let report: DoctorReport
        do {
            report = try await examine(doctor, mayFix: mayFix)
        } catch {
            await doctor.shutDown()
            throw error
        }
        await doctor.shutDown()
        return report
    }

    private func examine(_ doctor: Doctor, mayFix: Bool) async throws -> DoctorReport {
        let report = try await doctor.examine()
        guard mayFix else { return report }
        let repairs = await doctor.mend(report)
        guard !repairs.isEmpty else { return report }
        var mended = try await doctor.examine()
        mended.repairs = repairs
        return mended
    }

    private func print(_ report: DoctorReport, asJSON: Bool) async throws {
        if asJSON {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            try await StandardStream.results().write(Array(encoder.encode(report)) + [UInt8(ascii: "\n")])
        } else {
            let text = report.text(width: Terminal.width ?? 100, isColoured: Terminal.takesColours)
            try await StandardStream.results().write(Array(text.utf8))
        }
    }

    /// The lines alone go to stdout, so that they can be piped into redis-cli.
    private func printUser(_ configuration: ProcessorConfiguration, mayFix: Bool) async throws {
        let deployment = try Deployment(configuration)
        var rights = try AccessRights(configuration, deployment, mode: deployment.seeds.mode)
        rights.setsNotifications = rights.setsNotifications || mayFix
        StandardStream.errors.write(
            "lapse: on every Redis server, replicas too, with a password of yours for \(AccessRights.passwordPlace); "
                + "then ACL SAVE or CONFIG REWRITE")
        if rights.punctual == .track {
            StandardStream.errors.write("lapse: on a server before 7.0 leave out +pexpiretime: it is not known there")
        }
        var lines = rights.line + "\n"
        if let sentinel = rights.sentinelLine {
            StandardStream.errors.write("lapse: the second line is for every Sentinel")
            lines += sentinel + "\n"
        }
        try await StandardStream.results().write(Array(lines.utf8))
    }
}
