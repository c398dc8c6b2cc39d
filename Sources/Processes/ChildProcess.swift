import Foundation
import Glibc
import Spawning
import Synchronization

/// A child process that dies with this one, even when this one is killed.
package final class ChildProcess: Sendable {
    package let pid: Int32
    /// Set once the child was reaped. From then on its pid may belong to a stranger: no signal is sent any
    /// more.
    private let exit = Mutex<Int32?>(nil)

    private init(pid: Int32) { self.pid = pid }

    /// Starts `command` with nothing but the three standard descriptors, in a process group of its own: an
    /// interrupt typed at the terminal reaches the parent, which then ends its children in order.
    ///
    /// - Parameters:
    ///   - hidden: variables of this process that do not reach the child.
    ///   - input, output: descriptors to inherit; nil for /dev/null.
    ///   - errors: the same; nil for what `output` is.
    ///   - control: a descriptor that the child has as number 3.
    ///   - mayBegin: asked right before the start, for which others may be in line.
    ///   - diesWithParent: false for a child that has to end something itself when this process has ended.
    /// - Throws: ``ProcessError`` when there is no such command or it cannot be started.
    package static func spawn(
        _ command: String, _ arguments: [String], environment: [String: String] = [:], without hidden: Set<String> = [],
        input: Int32? = nil, output: Int32? = nil, errors: Int32? = nil, control: Int32? = nil,
        diesWithParent: Bool = true, ifStill mayBegin: @escaping @Sendable () -> Bool = { true }
    ) async throws -> ChildProcess {
        var line = [try Executable.find(command)] + arguments
        if diesWithParent { line = dyingWithParent(line) }
        let own = ProcessInfo.processInfo.environment.filter { !hidden.contains($0.key) }
        let variables = own.merging(environment) { $1 }
        let words = line
        let pid = try await SpawningThread.shared.run {
            guard mayBegin() else { throw CancellationError() }
            return try start(
                words, environment: variables, input: input, output: output, errors: errors, control: control)
        }
        return ChildProcess(pid: pid)
    }

    /// The command line of a child that dies with the thread that started it.
    package static func dyingWithParent(_ line: [String]) -> [String] {
        guard let setpriv = Executable.search("setpriv") else { return line }
        return [setpriv, "--pdeathsig", "KILL", "--"] + line
    }

    /// Starts a command from this thread, with this environment and no other; returns its pid. The caller
    /// reaps it.
    package static func start(
        _ words: [String], environment: [String: String], input: Int32? = nil, output: Int32? = nil,
        errors: Int32? = nil, control: Int32? = nil
    ) throws -> Int32 {
        var spawn = Spawn(words, environment: environment.map { "\($0)=\($1)" })
        spawn.input = input
        spawn.output = output
        spawn.errors = errors
        spawn.control = control
        return try spawn.start()
    }

    /// Whether the child has not ended yet; a frozen child runs.
    package var isRunning: Bool { exitStatus == nil }

    /// The wait status, once the child has ended.
    package var exitStatus: Int32? {
        exit.withLock { status in
            if status == nil { status = reap(WNOHANG) }
            return status
        }
    }

    /// The wait status; nil while the child runs.
    ///
    /// An end that cannot be learned, since this process ignores SIGCHLD or another part of it was faster,
    /// is one by SIGKILL: it may have been any, and must not pass for a success.
    private func reap(_ options: Int32) -> Int32? {
        var raw: Int32 = 0
        while true {
            let found = unsafe waitpid(pid, &raw, options)
            if found == 0 { return nil }
            if found > 0 { return raw }
            guard errno == EINTR else { return SIGKILL }
        }
    }

    /// Whether the child has ended; it is not reaped, so its pid and its group stay its own.
    package var hasEnded: Bool {
        exit.withLock { status in
            guard status == nil else { return true }
            var info = unsafe siginfo_t()
            guard unsafe waitid(P_PID, id_t(pid), &info, WEXITED | WNOWAIT | WNOHANG) == 0 else { return true }
            return unsafe info.si_signo == SIGCHLD
        }
    }

    /// Sends a signal to the child and to everything it has started, unless the child has ended.
    package func signalGroup(_ number: Int32) {
        exit.withLock { status in
            guard status == nil else { return }
            // In the moment between fork and exec the group may not exist yet.
            if Glibc.kill(-pid, number) != 0 { _ = Glibc.kill(pid, number) }
        }
    }

    /// Kills what the child has started and left behind.
    package func killGroup() { _ = Glibc.kill(-pid, SIGKILL) }

    /// Returns when the child has ended; costs a thread meanwhile, and nothing else.
    ///
    /// It does not end with its task: a child goes on until a signal ends it.
    package func waitForExit() async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let thread = Thread { [pid] in
                var info = unsafe siginfo_t()
                // Not reaped here, so that the pid stays this child's until `exitStatus` was read.
                while unsafe waitid(P_PID, id_t(pid), &info, WEXITED | WNOWAIT) != 0, errno == EINTR {}
                continuation.resume()
            }
            thread.name = "child \(pid)"
            thread.start()
        }
    }

    /// Sends a signal unless the child has ended.
    package func signal(_ number: Int32) {
        exit.withLock { status in
            guard status == nil else { return }
            _ = Glibc.kill(pid, number)
        }
    }

    /// Stops the child (SIGSTOP), and returns when none of its threads runs any more: the signal takes its
    /// time, and one more answer may slip out meanwhile.
    package func freeze() {
        signal(SIGSTOP)
        while isRunning, threadStates.contains(where: { $0 != "T" && $0 != "t" }) { usleep(200) }
    }

    /// The state of each thread, as `/proc/<pid>/task/<id>/stat` names it.
    private var threadStates: [Character] {
        let tasks = "/proc/\(pid)/task"
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: tasks)) ?? []
        return threads.compactMap { thread in
            let text = (try? String(contentsOfFile: "\(tasks)/\(thread)/stat", encoding: .utf8)) ?? ""
            // Behind the name, which may hold anything.
            guard let name = text.lastIndex(of: ")") else { return nil }
            return text[name...].dropFirst(2).first
        }
    }

    package func waitForExit(within limit: Duration) async -> Bool {
        let deadline = ContinuousClock.now + limit
        while isRunning {
            guard ContinuousClock.now < deadline else { return false }
            // A cancelled task still has to see its child end, so the pause may be cut short but not the wait.
            do { try await Task.sleep(for: .milliseconds(2)) } catch { await Task.yield() }
        }
        return true
    }

    /// Kills and reaps at once, for places that cannot await.
    package func killNow() {
        exit.withLock { status in
            guard status == nil else { return }
            _ = Glibc.kill(pid, SIGKILL)
            status = reap(0)
        }
    }
}
