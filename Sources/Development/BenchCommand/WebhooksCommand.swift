import ArgumentParser

/// Webhooks a second of the leader and of a worker, beside the HTTP client that they use.
struct WebhooksCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "webhooks", abstract: "Webhooks a second, 64 at once, beside AsyncHTTPClient alone.",
        discussion: """
            A receiver that answers 204 over plain HTTP, what posts and Redis are processes of this machine. AsyncHTTPClient alone \
            posts bodies as long as those of the leader, under as many headers, over as many connections, from one event loop as \
            in Lapse. The receiver takes the time, from the first request to the last, and counts the ids: each webhook must come \
            once. Webhooks are not signed here. The rounds take turns, so that what else the machine does meets all alike.
            """)

    @OptionGroup var executable: LapseExecutable
    @Option(help: "Webhooks in a round.") var events = 50_000
    @Option(help: "Rounds; the table shows their median.") var rounds = 3

    func validate() throws {
        guard events > 1, rounds > 0 else { throw ValidationError("give at least 2 --events and 1 of --rounds") }
    }

    func run() async throws {
        let round = WebhookRound(lapse: executable.path, events: events)
        var alone = WebhookRow(name: "AsyncHTTPClient alone", events: events)
        var leader = WebhookRow(name: "lapse run as leader", events: events)
        var worker = WebhookRow(name: "lapse work", events: events)
        Console.show("\(events) webhooks, \(WebhookRound.atOnce) at once, \(rounds) rounds, medians\n")
        for _ in 0..<rounds {
            let cost = try await round.leader()
            leader.costs.append(cost)
            worker.costs.append(try await round.worker())
            alone.costs.append(try await round.alone(bytes: cost.counts.bytes / events))
        }
        Console.show(WebhookRow.header)
        for row in [alone, leader, worker] { Console.show(row.text(beside: alone)) }
    }
}
