import ArgumentParser
import Console
import Glibc
import LeaderElection
import Logging

/// `lapse elect`: runs any program only while leading.
struct ElectCommand: AsyncParsableCommand, SupervisedCommand {
    static let configuration = CommandConfiguration(
        commandName: "elect", abstract: "Run a program only while this replica leads.",
        usage: "lapse elect [--store URL] [--name NAME] [options] -- COMMAND [ARGUMENT ...]",
        discussion: """
            Examples:
              lapse elect --redis redis://10.0.0.1:6379 --name cron -- ./job --nightly
              lapse elect --store etcd://10.0.0.1:2379/jobs --name cron --on-loss wait -- ./worker

            The program runs in a process group of its own, with LAPSE_TERM, LAPSE_TOKEN (the fencing token: hand it to \
            every resource that can check it) and LAPSE_ID in its environment. When leadership is lost the group gets \
            SIGTERM, and SIGKILL before another replica can lead. SIGTERM to lapse is passed on; --drain bounds the wait.

            Exit code: the program's own (128 + N when signal N ended it), 75 when leadership was lost (--on-loss exit), \
            0 when stopped before it led, 64 usage, 69 store not reached within --startup-timeout, 77 refused by the store, \
            127 no such command, 70 internal.
            """)

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup(title: "Election") var election: GivenOptions<Election>
    @OptionGroup(title: "Candidacy") var candidacy: GivenOptions<Candidacy>
    @OptionGroup(title: "Program") var electing: GivenOptions<Electing>
    @OptionGroup(title: "Supervision") var supervising: GivenOptions<Supervising>
    @OptionGroup(title: "Logs") var logLines: GivenOptions<LogLines>
    @Argument(parsing: .postTerminator, help: "The program and its arguments, after --.")
    var command: [String] = []

    func values() async throws(Failure) -> OptionValues {
        try await OptionValues(given: connection, election, candidacy, electing, supervising, logLines)
    }

    func run() async throws {
        let values = try await values()
        try Parent.take(over: values, leaseTTL: try values(Candidacy.leaseTTL) ?? .seconds(8))
        let logger = try values.bootstrapLogging()
        guard let program = command.first else {
            throw Failure.usage("no program to run: write it after --, as in lapse elect --name cron -- ./job")
        }
        let executable = try ElectedProgram.find(program)
        MissingSetpriv.warn("elect", "the program goes on when its guard is killed")
        let timing = ElectionTimes(leaseTTL: try values(Candidacy.leaseTTL) ?? .seconds(8))
        try timing.check()
        var election = ElectionConfiguration(
            name: try values(Election.name) ?? "default",
            id: try values(Candidacy.id) ?? ElectionConfiguration.uniqueID(), leaseTTL: timing.leaseTTL,
            stopBudget: timing.stopBudget,
            // The last second is for SIGKILL to do its work.
            drainLimit: (try values(Candidacy.drain) ?? .seconds(10)) + .seconds(1),
            onOverrun: { term in
                FatalLine.write("the program of term \(term) could not be killed in time: ending")
                _exit(Failure.Code.internal.rawValue)
            })
        election.witness = ParentLink.own
        let elected = ElectedProgram(
            [executable] + command.dropFirst(), id: election.id,
            patience: .init(drain: try values(Candidacy.drain) ?? .seconds(10), loss: timing.grace),
            onLoss: try values(Electing.onLoss) ?? .exit, logger: logger)
        let ending = StopRequest()
        let trap = SignalTrap { _ in ending.ask() }
        defer { withExtendedLifetime(trap) {} }
        // A parent that is gone releases nothing: another replica leads, which has one.
        ParentLink.own?.onEnd { ending.ask() }
        let report = ServiceReport()
        report.ready()
        let reporting = Task { await report.run() }
        defer { reporting.cancel() }
        let store = try await StoreOptions(values).connect(election, values, logger: logger, until: ending)
        guard let store else { return }
        let code = try await elected.run(election, store: store, until: ending)
        if code != 0 { throw ExitCode(code) }
    }
}

/// How the lease is divided: a program cannot look at its lease before each effect, so it must be dead
/// before the end.
struct ElectionTimes {
    let leaseTTL: Duration

    /// Kept of the lease for stopping the program: a fifth, so that two retries of a renewal still fit
    /// before.
    var stopBudget: Duration { leaseTTL / 5 }
    /// Between SIGTERM and SIGKILL when the lease is lost; the rest of the budget is the kernel's.
    var grace: Duration { stopBudget / 2 }

    /// - Throws: ``ElectionError`` where the lease is too short for that, with the least that is not.
    func check() throws(ElectionError) {
        _ = try LeaseTiming(ttl: leaseTTL, stopBudget: { ElectionTimes(leaseTTL: $0).stopBudget })
    }
}
