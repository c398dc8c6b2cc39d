import Supervision

/// A subcommand that can hold a lease below a parent, which releases it when the worker dies.
protocol SupervisedCommand {
    /// Everything that the command line, the environment and the file say.
    func values() async throws(Failure) -> OptionValues
}

extension Role {
    /// Of the process as it was started.
    static let own = split(Array(CommandLine.arguments.dropFirst()))
}
