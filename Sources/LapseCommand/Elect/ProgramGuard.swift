import Console
import Foundation
import Glibc
import LeaderElection
import Processes
import Spawning
import Timing

/// The process between lapse and the program of `lapse elect`:
/// `lapse __guard GRACE-MS LOG-FORMAT PROGRAM ARGUMENT...`.
///
/// It holds the lease's deadline, and hears of each renewal through a pipe. So the program and all that
/// it has started end in time also when lapse is stopped or killed. Its exit code is the program's.
enum ProgramGuard {
    static let word = "__guard"
    /// Where the pipe from lapse is.
    static let control: Int32 = 3

    /// Never returns.
    static func serve(_ arguments: [String]) -> Never {
        guard arguments.count >= 3, let grace = Int64(arguments[0]), let format = LogFormat(rawValue: arguments[1])
        else { leave("started by hand") }
        // Not what the program's own arguments may say.
        FatalLine.use(format)
        // Stopping is lapse's to decide, also when a supervisor signals the whole control group.
        for number in [SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE] { _ = signal(number, SIG_IGN) }
        // What the program's children leave behind becomes this process's child, so that it can be found and
        // killed.
        guard Subreaper.become() else {
            leave("this system does not let it keep what the program leaves behind (prctl)")
        }
        _ = fcntl(control, F_SETFL, fcntl(control, F_GETFL) | O_NONBLOCK)
        var ended: [Int32] = [0, 0]
        guard unsafe pipe(&ended) == 0 else { leave("no pipe") }
        var loop = GuardLoop(
            machine: GuardMachine(grace: .milliseconds(grace)), command: Array(arguments.dropFirst(2)), ended: ended)
        loop.run()
    }

    fileprivate static func leave(_ text: String) -> Never {
        FatalLine.write("guard of a program: \(text)")
        _exit(Failure.Code.internal.rawValue)
    }
}

/// Carries out what the machine decides.
private struct GuardLoop {
    var machine: GuardMachine
    let command: [String]
    /// A pipe through which a thread says that the program has ended.
    let ended: [Int32]
    var program: Int32?
    var isOpen = true
    var text: [UInt8] = []

    /// The wall clock may have been set, or the machine paused.
    private static let longestWait = Duration.milliseconds(250)

    mutating func run() -> Never {
        while true {
            wait()
            if let status = endedWith() {
                Descendants.killAll(group: program ?? 0)
                _exit(ElectedProgram.code(status))
            }
            for order in orders() { step(.order(order)) }
            if !isOpen { step(.closed) }
            step(.timer)
        }
    }

    private func wait() {
        var places = [pollfd(fd: ended[0], events: Int16(POLLIN), revents: 0)]
        if isOpen { places.append(pollfd(fd: ProgramGuard.control, events: Int16(POLLIN), revents: 0)) }
        var timeout: Int32 = -1
        if let next = machine.nextLook {
            let left = min(max(next - SystemClock.read().monotonic, .zero), Self.longestWait)
            timeout = Int32((left / .milliseconds(1)).rounded(.up))
        }
        _ = unsafe poll(&places, nfds_t(places.count), timeout)
    }

    /// The program's wait status, once it has ended.
    private func endedWith() -> Int32? {
        var place = pollfd(fd: ended[0], events: Int16(POLLIN), revents: 0)
        guard unsafe poll(&place, 1, 0) == 1 else { return nil }
        var status: Int32 = 0
        let count = unsafe read(ended[0], &status, MemoryLayout<Int32>.size)
        return count == MemoryLayout<Int32>.size ? status : nil
    }

    private mutating func orders() -> [GuardMachine.Order] {
        guard isOpen else { return [] }
        var buffer = [UInt8](repeating: 0, count: 4096)
        reading: while true {
            let count = unsafe read(ProgramGuard.control, &buffer, buffer.count)
            switch count {
            case 1...: text += buffer[..<count]
            case 0:
                isOpen = false
                break reading
            default:
                if errno == EINTR { continue }
                if errno != EAGAIN { isOpen = false }
                break reading
            }
        }
        guard let end = text.lastIndex(of: UInt8(ascii: "\n")) else { return [] }
        defer { text.removeSubrange(...end) }
        return String(decoding: text[..<end], as: UTF8.self).split(separator: "\n")
            .compactMap { GuardMachine.Order($0) }
    }

    private mutating func step(_ event: GuardMachine.Event) {
        for action in machine.step(event, now: SystemClock.read()) {
            switch action {
            case .start(let term, let token): start(term, token)
            case .terminate: if let program { _ = kill(-program, SIGTERM) }
            case .kill: Descendants.killAll(group: program ?? 0)
            case .leave: _exit(0)
            }
        }
    }

    private mutating func start(_ term: UInt64, _ token: UInt64) {
        var environment = ProcessInfo.processInfo.environment
        environment["LAPSE_TERM"] = "\(term)"
        environment["LAPSE_TOKEN"] = "\(token)"
        do {
            let pid = try ChildProcess.start(
                ChildProcess.dyingWithParent(command), environment: environment, input: 0, output: 1, errors: 2)
            program = pid
            Descendants.reap(until: pid, telling: ended[1])
        } catch {
            ProgramGuard.leave("\(error)")
        }
    }
}
