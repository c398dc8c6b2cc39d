import ArgumentParser
import Console
import FoundationEssentials
import Lapse

/// `lapse status`: the leader, and how far it is.
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
    @OptionGroup(title: "Looking") var looking: GivenOptions<Looking>
    @OptionGroup var results: GivenOptions<Results>

    func run() async throws {
        let values = try await OptionValues(given: connection, election, looking, results)
        let asJSON = try values(Results.json) == true
        let isWaiting = try values(Looking.wait) != nil
        let limit = try values(StepDown.timeout) ?? .seconds(30)
        guard try values(Looking.watch) != true else {
            guard !isWaiting else { throw Failure.usage("--watch and --wait: give one of them") }
            return try await GroupLook.with(values) { try await StatusWatch(look: $0, asJSON: asJSON).run() }
        }
        try await GroupLook.with(values) { look in
            let report = isWaiting ? try await look.untilLed(within: limit) : try await look.observer.look()
            try await Self.print(report, asJSON: asJSON)
        }
    }

    private static func print(_ report: GroupReport, asJSON: Bool) async throws {
        if asJSON {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
            try await StandardStream.print(String(decoding: try encoder.encode(report), as: UTF8.self))
        } else {
            try await StandardStream.print(report.lines(fitting: Terminal.width).joined(separator: "\n"))
        }
        switch report.state {
        case .led: break
        case .vacant: throw ExitCode(Failure.Code.negative.rawValue)
        case .unknown: throw Failure(.unreachable, report.unknownReason)
        case .refused: throw Failure(.denied, report.unknownReason)
        }
    }
}

/// `lapse top`: the same as `lapse status --watch`.
struct TopCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top", abstract: "Show the group's state and refresh it each second, until interrupted.",
        discussion: "The same as lapse status --watch.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup(title: "Election") var election: GivenOptions<Election>
    @OptionGroup var results: GivenOptions<Results>

    func run() async throws {
        let values = try await OptionValues(given: connection, election, results)
        let asJSON = try values(Results.json) == true
        try await GroupLook.with(values) { try await StatusWatch(look: $0, asJSON: asJSON).run() }
    }
}
