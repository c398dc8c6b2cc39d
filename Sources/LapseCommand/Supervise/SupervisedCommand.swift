import Console
import Glibc
import LeaderElection
import Logging
import Processes
import Supervision

/// A subcommand that can run below a parent, which releases its lease when it dies.
protocol SupervisedCommand {
    /// Everything that the command line, the environment and the file say.
    func values() async throws(Failure) -> OptionValues
}

/// The roles that a process of one command line can have: the first word says which, and the rest is the command line.
enum Role: String {
    /// `__supervise ON-CRASH RELEASE-LIMIT-MS CRASH-REPORT`, before the command line.
    case parent = "__supervise"
    case worker = "__worker"
    /// The worker before it may have stopped in the middle of a line of output.
    case workerAfterCrash = "__worker-again"
    /// Releases the claim on standard input, once.
    case releaser = "__release"

    /// The role of this process, and its own command line.
    static func split(_ arguments: [String]) -> (role: Role?, arguments: [String]) {
        guard let word = arguments.first, let role = Role(rawValue: word) else { return (nil, arguments) }
        return (role, Array(arguments.dropFirst()))
    }

    /// Of the process as it was started.
    static let own = split(Array(CommandLine.arguments.dropFirst()))
}

/// How a process becomes the parent of a worker with the same command line.
enum Parent {
    /// Becomes the parent, and does not return, if the options want one and there is none yet.
    static func take(over values: OptionValues) throws(Failure) {
        let choice = try values(Supervising.supervise) ?? (getpid() == 1 ? .on : .off)
        let onCrash = try values(Supervising.onCrash) ?? .restart
        let report = try values(Supervising.crashReport) ?? .off
        guard choice == .on, Role.own.role == nil else { return }
        let limit = releaseLimit(try values(Candidacy.leaseTTL) ?? .seconds(8)) + .seconds(2)
        let words =
            [CommandLine.arguments.first ?? "lapse", Role.parent.rawValue, onCrash.rawValue]
            + ["\(Int64(limit / .milliseconds(1)))", report.rawValue] + Role.own.arguments
        // What this process has loaded for reading its options goes with it.
        var pointers = unsafe words.map { unsafe strdup($0) } + [nil]
        _ = unsafe execv(Supervisor.Programs.path, &pointers)
        throw Failure(.internal, "--supervise: no parent: \(unsafe String(cString: strerror(errno)))")
    }

    /// How long a release is tried: the lease ends meanwhile.
    static func releaseLimit(_ leaseTTL: Duration) -> Duration { min(leaseTTL, .seconds(10)) }

    /// Called first of all in a process whose role it is. Never returns.
    static func run(_ arguments: [String]) -> Never {
        guard arguments.count > 3, let onCrash = SupervisorMachine.Settings.OnCrash(rawValue: arguments[0]),
            let limit = Int64(arguments[1]), (1...100_000).contains(limit)
        else {
            StandardStream.errors.write("lapse: \(Role.parent.rawValue) is not for use by hand")
            _exit(Failure.Code.usage.rawValue)
        }
        let name = CommandLine.arguments[0]
        let own = Array(arguments.dropFirst(3))
        func words(_ role: Role) -> [String] { [name, role.rawValue] + own }
        Supervisor.run(
            .init(
                worker: words(.worker), workerAfterCrash: words(.workerAfterCrash), releaser: words(.releaser),
                reportsCrashes: arguments[2] == Supervising.Choice.on.rawValue),
            .init(onCrash: onCrash, releaseLimit: .milliseconds(limit)))
    }
}
