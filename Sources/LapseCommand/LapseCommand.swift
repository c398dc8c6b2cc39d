import ArgumentParser
import Console
import FoundationEssentials
import Glibc
import Lapse
import Supervision

/// The `lapse` executable.
@main
struct LapseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lapse",
        abstract: "Handles Redis key expirations: each that Redis announces, by one leader, none lost silently.",
        discussion: """
            Examples:
              lapse demo                                     see it work, with servers of its own
              lapse doctor --redis redis://10.0.0.1:6379     is Redis ready?
              lapse run --redis redis://10.0.0.1:6379 --match 'session:*' --webhook https://shop.example/expired
              lapse status                                   who leads, how far is it?
              lapse trace session:42                         what became of a key?

            Every option is also read from the environment (--lease-ttl is LAPSE_LEASE_TTL) and from a YAML or JSON file \
            (--config FILE; there it is leaseTtl). A flag counts before the environment, that before the file.
            """,
        version: BuildVersion.text,
        subcommands: [
            RunCommand.self, TailCommand.self, DoctorCommand.self, StatusCommand.self, ElectCommand.self,
            WorkCommand.self, DeadLettersCommand.self, TopCommand.self, GroupsCommand.self, StepDownCommand.self,
            PauseCommand.self, ResumeCommand.self, TraceCommand.self, ConfigCommand.self,
            HealthCommand.self, DemoCommand.self,
        ])

    static func main() async {
        // Before anything is opened.
        StandardStream.occupyClosed()
        // Inherited as ignored, it lets no child be waited for: how one ended is not known then.
        _ = signal(SIGCHLD, SIG_DFL)
        _ = Parent.deathSignal
        let (role, own) = Role.own
        if role == .parent { Parent.run(own) }
        // Also in the guard of a program, which would leave it behind.
        DebugLines.keepSignalsHarmless()
        let arguments = CommandLine.arguments
        FatalLine.lookAhead(arguments, ProcessInfo.processInfo.environment)
        if arguments.count > 2, arguments[1] == ProgramGuard.word { ProgramGuard.serve(Array(arguments.dropFirst(2))) }
        // A reader that has gone away is an error of the write, not the end of the process.
        _ = signal(SIGPIPE, SIG_IGN)
        let code = await end(of: own)
        LogOutput.errors.flush(for: 1_000)
        Glibc.exit(code)
    }

    /// Runs a command line to its end; returns the exit code. Off the main actor, which has nothing to do
    /// with it.
    @concurrent
    private static func end(of arguments: [String]) async -> Int32 {
        do {
            var command = try parseAsRoot(arguments)
            if Role.own.role == .releaser {
                guard let supervised = command as? any SupervisedCommand else { return Failure.Code.usage.rawValue }
                try await OneShotRelease.run(supervised)
            } else if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
            return 0
        } catch let code as ExitCode {
            return code.rawValue
        } catch let error where exitCode(for: error) == .success {
            return await tell(fullMessage(for: error))
        } catch let error where exitCode(for: error) == .validationFailure {
            return report(.usage(usage(message(for: error), arguments)))
        } catch {
            return report(Failure(error))
        }
    }

    /// Help, or the version.
    private static func tell(_ text: String) async -> Int32 {
        do {
            try await StandardStream.print(text)
            return 0
        } catch { return report(Failure(error)) }
    }

    private static func report(_ failure: Failure) -> Int32 {
        FatalLine.write(failure.description)
        return failure.code.rawValue
    }

    /// The parser's message as one line, with where to look further.
    private static func usage(_ message: String, _ arguments: [String]) -> String {
        let subcommand = arguments.first { name in
            configuration.subcommands.contains { $0.configuration.commandName == name }
        }
        let help = (["lapse"] + [subcommand].compactMap(\.self) + ["--help"]).joined(separator: " ")
        var text = message.split(whereSeparator: \.isNewline).joined(separator: " ")
        if subcommand == nil, let word = arguments.first, !word.hasPrefix("-") {
            let names = configuration.subcommands.compactMap { $0.configuration.commandName }
            let near = Spelling.nearest(to: word, in: names, least: 2).map { ": did you mean 'lapse \($0)'?" } ?? ""
            text = "there is no subcommand '\(Printable.text(word))'\(near)"
        }
        return "\(text) (\(help) lists the options)"
    }
}
