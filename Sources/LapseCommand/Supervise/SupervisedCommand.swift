import Supervision

/// A subcommand that can run below a parent, which releases its lease when it dies.
protocol SupervisedCommand {
    /// Everything that the command line, the environment and the file say.
    func values() async throws(Failure) -> OptionValues
}

extension Role {
    /// Of the process as it was started.
    static let own = split(Array(CommandLine.arguments.dropFirst()))
}
