import Console
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

    /// Takes part in the election until the program ends by itself, leadership is lost, or stopping is
    /// asked for.
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
        let prepared = Mutex<GuardedProgram?>(nil)
        do { try await prepare(prepared) } catch {
            await store.shutDown()
            throw Failure(.internal, "\(error)")
        }
        defer { prepared.withLock { $0 }?.close() }
        let outcome = Mutex<Int32?>(nil)
        let failure = Mutex<ElectionFailure?>(nil)
        do throws(ElectionError) {
            try await elector.run { term in
                let end: End
                do { end = try await serve(term, prepared) } catch {
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

    private func prepare(_ prepared: borrowing Mutex<GuardedProgram?>) async throws {
        let program = try await GuardedProgram.prepare(command, id: id, grace: patience.loss)
        prepared.withLock { $0 = program }
    }

    /// Runs the program for one term. Returns only when it has ended.
    private func serve(_ term: Term, _ prepared: borrowing Mutex<GuardedProgram?>) async throws -> End {
        // A guard ends with its program; one that was stopped from outside guards nothing.
        if prepared.withLock({ $0?.isRunning }) != true { try await prepare(prepared) }
        guard let child = prepared.withLock({ $0 }), term.lease.isValid else { return .stopped(0) }
        child.order(.start(term: term.number, token: term.token.rawValue, until: term.lease.limit))
        logger.info(
            "program started", metadata: ["guard": "\(child.guardID)", "term": .stringConvertible(term.number)])
        let wasAsked = await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                await child.waitForExit()
                return false
            }
            group.addTask {
                await tellRenewals(of: term, to: child)
                return false
            }
            group.addTask {
                // Cancelled when the program has ended by itself, or when the term must end at once.
                await term.drainRequested()
                guard child.isRunning else { return false }
                await stop(child, term)
                return true
            }
            var wasAsked = false
            // The first to return is the program's end, or its stop, which ends only after it.
            while let answer = await group.next() {
                wasAsked = wasAsked || answer
                group.cancelAll()
            }
            return wasAsked
        }
        if child.wasKilled {
            // Released only once nothing of the program lives: by the parent, which kills what the guard left
            // behind. Without one the lease runs out, and a service manager has that long for it.
            logger.error("the guard was killed: ending", metadata: ["guard": "\(child.guardID)"])
            LogOutput.errors.flush(for: 250)
            _exit(Failure.Code.internal.rawValue)
        }
        let code = child.exitCode
        logger.info("program ended", metadata: ["guard": "\(child.guardID)", "exit": .stringConvertible(code)])
        // The guard ends it with the lease, which a lapse that was stopped meanwhile learns only afterwards.
        return wasAsked || !term.lease.isValid ? .stopped(code) : .itself(code)
    }

    /// Returns when cancelled. The guard's deadline is never later than the lease's: a renewal it has not
    /// heard of yet only makes it more careful.
    private func tellRenewals(of term: Term, to child: GuardedProgram) async {
        var told = term.lease.limit
        let pause = min(max(patience.loss / 5, .milliseconds(10)), .milliseconds(100))
        while !Task.isCancelled {
            try? await Task.sleep(for: pause)
            let limit = term.lease.limit
            guard limit != told, !term.lease.isEnded else { continue }
            told = limit
            child.order(.extend(until: limit))
        }
    }

    /// SIGTERM, then SIGKILL when it has not ended in time.
    private func stop(_ child: GuardedProgram, _ term: Term) async {
        child.order(.stop)
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
        logger.warning("program killed", metadata: ["guard": "\(child.guardID)", "signal": "SIGKILL"])
        child.close()
    }

    /// As shells have it: 128 and the number of the signal that ended it.
    static func code(_ status: Int32) -> Int32 {
        let signal = status & 0x7f
        return signal == 0 ? (status >> 8) & 0xff : 128 + signal
    }
}
