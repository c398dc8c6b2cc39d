import Console
import FoundationEssentials
import Glibc
import LeaderElection
import Processes
import Spawning
import Synchronization

/// A program of `lapse elect` below its guard, as lapse sees it.
final class GuardedProgram: Sendable {
    private let process: ChildProcess
    private let pipe: Mutex<Int32?>

    private init(_ process: ChildProcess, _ pipe: Int32) {
        self.process = process
        self.pipe = Mutex(pipe)
    }

    deinit { close() }

    /// Starts a guard, which waits: the program begins when the term does, without the guard's own start.
    static func prepare(_ command: [String], id: String, grace: Duration) async throws -> GuardedProgram {
        var ends: [Int32] = [0, 0]
        guard unsafe Glibc.pipe(&ends) == 0 else {
            throw ProcessError("no pipe: \(unsafe String(cString: strerror(errno)))")
        }
        defer { _ = Glibc.close(ends[0]) }
        _ = fcntl(ends[1], F_SETFD, FD_CLOEXEC)
        // A guard that was stopped must not stop lapse; an order it misses only ends the program sooner.
        _ = fcntl(ends[1], F_SETFL, O_NONBLOCK)
        do {
            let process = try await ChildProcess.spawn(
                "/proc/self/exe",
                [ProgramGuard.word, "\(Int64(grace / .milliseconds(1)))", FatalLine.formatInUse.rawValue] + command,
                environment: ["LAPSE_ID": id],
                without: SecretVariables.names(in: ProcessInfo.processInfo.environment), input: 0, output: 1, errors: 2,
                control: ends[0], diesWithParent: false)
            return GuardedProgram(process, ends[1])
        } catch {
            _ = Glibc.close(ends[1])
            throw error
        }
    }

    var guardID: Int32 { process.pid }
    var isRunning: Bool { process.isRunning }
    /// As of the program.
    var exitCode: Int32 { ElectedProgram.code(process.exitStatus ?? 0) }

    /// A guard ends with its program's code: one that was ended by a signal may have left some of the
    /// program behind.
    var wasKilled: Bool { (process.exitStatus ?? 0) & 0x7f != 0 }

    func waitForExit() async { await process.waitForExit() }

    func order(_ order: GuardMachine.Order) {
        pipe.withLock { pipe in
            guard let pipe else { return }
            let line = Array("\(order.line)\n".utf8)
            _ = unsafe write(pipe, line, line.count)
        }
    }

    /// Kills the program and all that it has started; before its start, ends the guard.
    func close() {
        pipe.withLock { pipe in
            if let pipe { _ = Glibc.close(pipe) }
            pipe = nil
        }
    }
}
