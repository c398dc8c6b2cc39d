import ArgumentParser

/// Every part in one run, so that the numbers belong together.
struct AllCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "all", abstract: "Every part in one run: cost, latency, memory, scale, take-over.",
        discussion: """
            Takes about 15 minutes on two cores; with --quick, which only shows that every part works, about a \
            minute. Each part is also a command of its own, with more options. Close what else uses the machine.
            """)

    @Flag(help: "A smoke of every part; its numbers mean little.") var quick = false
    @OptionGroup var executable: LapseExecutable
    @OptionGroup var yardsticks: Yardsticks

    func run() async throws {
        for part in quick ? Self.smoke : Self.full {
            Console.show("\n## \(part.joined(separator: " "))\n")
            try await BenchCommand.perform(part + options(of: part[0]))
        }
    }

    private static let full = [
        ["cost"], ["latency"], ["memory"], ["scale", "--nodes", "6", "24", "--replicas", "1", "3", "5"], ["takeover"],
    ]

    private static let smoke = [
        ["cost", "--events", "20000", "--rounds", "1", "--no-cluster"],
        ["latency", "--rates", "1000", "--seconds", "2"],
        ["memory", "--entries", "50000"],
        ["scale", "--nodes", "6", "--replicas", "2", "--seconds", "2"],
        ["takeover", "--rounds", "1", "--stores", "redis"],
    ]

    private func options(of part: String) -> [String] {
        // The handlers whose latency is measured are of this process; take-over is over stores that only the
        // build beside it has.
        var options = ["latency", "takeover"].contains(part) ? [] : ["--binary", executable.path]
        guard part == "cost" else { return options }
        if let loop = yardsticks.cLoop { options += ["--c-loop", loop] }
        if let loop = yardsticks.pythonLoop { options += ["--python-loop", loop, "--python", yardsticks.python] }
        return options
    }
}

extension BenchCommand {
    /// As if called with these arguments.
    static func perform(_ arguments: [String]) async throws {
        var command = try parseAsRoot(arguments)
        if var part = command as? any AsyncParsableCommand {
            try await part.run()
        } else {
            try command.run()
        }
    }
}
