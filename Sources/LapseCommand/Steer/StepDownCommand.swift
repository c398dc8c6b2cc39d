import ArgumentParser
import Console
import Lapse

/// `lapse step-down`: hand over now.
struct StepDownCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "step-down",
        abstract: "Ask the leader to finish what it has begun and to hand over to another replica.",
        discussion: """
            Nothing is lost and nothing handled twice; the replica goes on as a follower. Needs the right to write where the \
            replicas keep their progress. Exit code 0 when another replica leads, 1 when the leader refuses or none answers in time.
            """)

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup(title: "Election") var election: GivenOptions<Election>
    @OptionGroup(title: "Hand-over") var stepDown: GivenOptions<StepDown>

    func run() async throws {
        let values = try await OptionValues(given: connection, election, stepDown)
        let target = try values(StepDown.to)
        let limit = try values(StepDown.timeout) ?? .seconds(30)
        try await SteeredGroup.with(values) { group in
            let snapshot = try await group.board.look()
            guard snapshot.token > 0 else {
                throw Failure(.negative, "no replica has led yet: is --name right?")
            }
            if let target, !snapshot.replicas.contains(target) {
                let others = snapshot.replicas.sorted().map(Printable.text).joined(separator: ", ")
                throw Failure(
                    .negative,
                    "no replica \(Printable.text(target)) is alive: there is \(others.isEmpty ? "none" : others)")
            }
            let wish = try await group.board.leave(
                .stepDown, for: limit, token: snapshot.token, target: target, author: SteeredGroup.author)
            // A term may have begun that has not said anything about it yet.
            let answer = try await group.answer(to: wish, within: limit, [.done, .refused])
            switch answer {
            case nil:
                try? await group.board.take(back: wish)
                throw Failure(.negative, "no other replica leads after \(limit): does one lead at all? (lapse status)")
            case let answer? where answer.verdict == .refused:
                throw Failure(
                    .negative, "\(Printable.text(answer.replica)) goes on leading: \(Printable.text(answer.text))")
            case let answer?:
                try await StandardStream.print("\(Printable.text(answer.replica)) leads now")
                if let target, answer.replica != target {
                    throw Failure(.negative, "\(Printable.text(target)) did not win: another replica was first")
                }
            }
        }
    }
}
