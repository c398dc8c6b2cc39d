import ArgumentParser
import Foundation
import ThrowawayRedis

/// The least that a program can do, in other languages.
struct Yardsticks: ParsableArguments {
    @Option(help: "The C program to compare with.") var cLoop: String?
    @Option(help: "The Python program to compare with.") var pythonLoop: String?
    @Option(help: "The Python that runs it.") var python = "python3"
}

/// The table of costs: Lapse beside the least that a program can do.
struct CostCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cost",
        abstract: "Processor time per million real expirations, everything in one run on one machine.")

    @Option(help: "Expirations in a round.") var events = 1_000_000
    @Option(help: "Rounds; the table shows their median.") var rounds = 5
    @OptionGroup var executable: LapseExecutable
    @OptionGroup var yardsticks: Yardsticks
    @Option(help: "Only subjects whose name contains this.") var only: String?
    @Flag(inversion: .prefixedNo, help: "One burst on a cluster of three masters and three replicas at the end.")
    var cluster = true

    private var lapse: String { executable.path }

    private func subjects() throws -> [Subject] {
        var subjects: [Subject] = []
        if let loop = yardsticks.cLoop { subjects.append(.loop("C, hiredis redisGetReply", loop)) }
        if let loop = yardsticks.pythonLoop {
            subjects.append(.loop("redis-py with hiredis", yardsticks.python, [loop]))
        }
        subjects += [
            .follower(lapse), .leader(lapse, concurrency: 1), .leader(lapse, concurrency: 64),
            .sleeper(concurrency: 64),
        ]
        for handler in ["ndjson", "log"] { subjects.append(try .printer(lapse, handler: handler)) }
        return subjects.filter { subject in only.map { subject.name.contains($0) } ?? true }
    }

    func run() async throws {
        Console.show("\(events) keys expiring at once on one server, \(rounds) rounds, medians\n")
        Console.show(BenchRow.header)
        var yardstick: Duration?
        for subject in try subjects() {
            let row = try await measure(subject)
            yardstick = yardstick ?? row.perMillion
            Console.show(row.text(beside: yardstick ?? row.perMillion))
        }
        if cluster { Console.show(try await ClusterBurst(lapse: lapse, events: events).run()) }
    }

    private func measure(_ subject: Subject) async throws -> BenchRow {
        let events = events / subject.share
        let server = try await ThrowawayServer.start(ExpirationBurst.server)
        let burst = ExpirationBurst(server: server)
        do {
            let process = try await subject.start(on: server)
            let idle = process.memory
            var measured: [Measurement] = []
            for _ in 0..<rounds {
                try await burst.load(events)
                measured.append(try await Measurement.of(process) { try await burst.release(events) })
                try await subject.check(process, on: server, events: events)
            }
            let row = BenchRow(
                name: subject.name, events: events, processorTimes: measured.map(\.processorTime),
                wallTimes: measured.map(\.wallTime), idleMemory: idle, memory: process.memory)
            await process.kill()
            await server.shutDown()
            return row
        } catch {
            await server.shutDown()
            throw error
        }
    }
}
