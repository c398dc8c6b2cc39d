import ArgumentParser
import Console
import Lapse

/// `lapse pause`: hand out nothing for a while.
struct PauseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause",
        abstract: "Stop handing out expirations for a while; the replicas keep them in their logs.",
        discussion: """
            It ends by itself after --for, after --log-age of the replicas, or when a log is nearly full, and holds on through a \
            change of leader. Handlers under way finish. With --stream the appending pauses; lapse work goes on. Needs the right to \
            write where the replicas keep their progress. Exit code 0 when the leader has paused, 1 when none answers: then the next one will.
            """)

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup(title: "Election") var election: GivenOptions<Election>
    @OptionGroup(title: "Pause") var pausing: GivenOptions<Pausing>

    func run() async throws {
        let values = try await OptionValues(given: connection, election, pausing)
        guard let length = try values(Pausing.length), length >= .seconds(1) else {
            throw Failure.usage("--for: say for how long, at least 1s")
        }
        try await SteeredGroup.with(values) { group in
            let wish = try await group.board.leave(.pause, for: length, author: SteeredGroup.author)
            let answer = try await group.answer(to: wish, within: .seconds(5), [.paused, .resumed])
            guard let answer else {
                throw Failure(
                    .negative, "no leader has answered: the next one will not hand out before the pause is over")
            }
            guard answer.verdict == .paused else {
                throw Failure(.negative, "\(Printable.text(answer.replica)) goes on: \(Printable.text(answer.text))")
            }
            try await StandardStream.print(
                "\(Printable.text(answer.replica)) hands out nothing for \(Printable.text(answer.text)) s, or until lapse resume"
            )
        }
    }
}

/// `lapse resume`: the end of a pause.
struct ResumeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "End a pause before its time.",
        discussion:
            "Exit code 0 when expirations are handed out again, also when there was no pause; 1 when no leader answers."
    )

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup(title: "Election") var election: GivenOptions<Election>

    func run() async throws {
        let values = try await OptionValues(given: connection, election)
        try await SteeredGroup.with(values) { group in
            let snapshot = try await group.board.look()
            // Each that any register shows: with one that is away, too few for a majority may hold it in force.
            for wish in snapshot.pauses { try await group.board.take(back: wish) }
            guard let pause = snapshot.pause else { return try await StandardStream.print("not paused") }
            guard let answer = try await group.answer(to: pause, within: .seconds(5), [.resumed]) else {
                throw Failure(.negative, "the pause is over, but no leader has answered: does one lead? (lapse status)")
            }
            try await StandardStream.print("\(Printable.text(answer.replica)) hands out again")
        }
    }
}
