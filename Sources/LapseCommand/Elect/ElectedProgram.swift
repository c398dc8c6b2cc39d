import FoundationEssentials
import Glibc
import LeaderElection
import Logging
import Processes
import Synchronization

/// A program that runs exactly while this replica leads.
struct ElectedProgram: Sendable {
    /// How long the program may take to end after SIGTERM.
    struct Patience: Sendable {
        /// When lapse itself is asked to stop: the lease is kept meanwhile.
        var drain: Duration
        /// When leadership is lost.
        var loss: Duration
    }

    /// Exit code when leadership was lost: EX_TEMPFAIL of sysexits.h, try again.
    static let lost: Int32 = 75

    private let command: [String]
    private let id: String
    private let patience: Patience
    private let onLoss: Electing.Loss
    private let logger: Logger

    init(_ command: [String], id: String, patience: Patience, onLoss: Electing.Loss, logger: Logger) {
        self.command = command
        self.id = id
        self.patience = patience
        self.onLoss = onLoss
        self.logger = logger
    }

    /// The path of a command; exit code 127, as shells have it, when there is none.
    static func find(_ name: String) throws(Failure) -> String {
        guard let path = Executable.search(name) else {
            throw Failure(.notFound, "\(name): no such command: give its path, or add its folder to PATH")
        }
        return path
    }

    /// Takes part in the election until the program ends by itself, leadership is lost, or stopping is asked for.
    ///
    /// - Returns: the exit code for this process.
    func run(_ election: ElectionConfiguration, store: any LeaseStore, until ending: StopRequest) async throws -> Int32
    {
        let elector: Elector
        do { elector = try Elector(store: store, configuration: election, logger: logger) } catch {
            await store.shutDown()
            throw Failure.usage("\(error)")
        }
        ending.onAsk { elector.stop() }
        let outcome = Mutex<Int32?>(nil)
        let failure = Mutex<ElectionFailure?>(nil)
        do throws(ElectionError) {
            try await elector.run { term in
                let end: End
                do { end = try await serve(term) } catch {
                    failure.withLock { $0 = ElectionFailure(text: "\(error)") }
                    elector.stop()
                    return
                }
                switch end {
                case .itself(let code):
                    outcome.withLock { $0 = code }
                    elector.stop()
                case .stopped(let code):
                    if ending.isAsked {
                        outcome.withLock { $0 = code }
                    } else if onLoss == .exit {
                        outcome.withLock { $0 = Self.lost }
                        elector.stop()
                    }
                }
            }
        } catch {
            await store.shutDown()
            throw Failure(.internal, "\(error)")
        }
        await store.shutDown()
        if let failure = failure.withLock({ $0 }) { throw Failure(.internal, failure.text) }
        return outcome.withLock { $0 } ?? 0
    }

    private struct ElectionFailure { let text: String }

    /// How a run of the program ended, with its exit code.
    private enum End {
        case itself(Int32)
        case stopped(Int32)
    }

    /// Runs the program for one term. Returns only when it has ended.
    private func serve(_ term: Term) async throws -> End {
        let variables = ["LAPSE_TERM": "\(term.number)", "LAPSE_TOKEN": "\(term.token)", "LAPSE_ID": id]
        guard term.lease.isValid else { return .stopped(0) }
        let child = try await ChildProcess.spawn(
            command[0], Array(command.dropFirst()), environment: variables,
            without: SecretVariables.names(in: ProcessInfo.processInfo.environment), input: 0, output: 1, errors: 2)
        logger.info("program started", metadata: ["pid": "\(child.pid)", "term": "\(term.number)"])
        let wasAsked = await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                await child.waitForExit()
                return false
            }
            group.addTask {
                // Cancelled when the program has ended by itself, or when the term must end at once.
                await term.drainRequested()
                guard child.isRunning else { return false }
                await stop(child, term)
                return true
            }
            let first = await group.next() ?? false
            group.cancelAll()
            let second = await group.next() ?? false
            return first || second
        }
        let status = child.exitStatus ?? 0
        // What it has started must not outlive the term either.
        child.killGroup()
        let code = Self.code(status)
        logger.info("program ended", metadata: ["pid": "\(child.pid)", "exit": "\(code)"])
        return wasAsked ? .stopped(code) : .itself(code)
    }

    /// SIGTERM, then SIGKILL when it has not ended in time.
    private func stop(_ child: ChildProcess, _ term: Term) async {
        child.signalGroup(SIGTERM)
        // Asked to drain, it has the lease behind it; once the lease is lost there is only the short way.
        var isLost = term.lease.isEnded || Task.isCancelled
        var deadline = ContinuousClock.now + (isLost ? patience.loss : patience.drain)
        while child.isRunning, ContinuousClock.now < deadline {
            if !isLost, term.lease.isEnded || Task.isCancelled {
                isLost = true
                deadline = min(deadline, .now + patience.loss)
            }
            // A cancelled task still has to see its child end: the pause is a task that knows no cancellation.
            await Task { try? await Task.sleep(for: .milliseconds(5)) }.value
        }
        guard child.isRunning else { return }
        logger.warning("program killed", metadata: ["pid": "\(child.pid)", "signal": "SIGKILL"])
        child.signalGroup(SIGKILL)
    }

    /// As shells have it: 128 and the number of the signal that ended it.
    static func code(_ status: Int32) -> Int32 {
        let signal = status & 0x7f
        return signal == 0 ? (status >> 8) & 0xff : 128 + signal
    }
}
