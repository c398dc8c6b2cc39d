import Glibc
import Spawning

/// The parent of a worker: carries out what ``SupervisorMachine`` decides. One thread, no socket, and
/// hardly any memory.
package struct Supervisor {
    private var machine: SupervisorMachine
    private let orders: ParentOrders
    private let lines: ParentLines
    private let environment: ParentEnvironment
    private let signals: SignalDescriptor
    private let manager: ServiceManager?
    private var link: WorkerLink?
    private var worker: Int32?
    private var releaser: Int32?
    private var pages = CleanPages()

    /// `SOCK_CLOEXEC`: a worker that held its parent's end would never see that the parent has died.
    private static let closedOnExec: Int32 = 0o2_000_000
    /// While children are killed: one may fork meanwhile.
    private static let clearingPause = Duration.milliseconds(2)

    /// Never returns. Call it first of all, in a process with one thread.
    package static func run(_ orders: ParentOrders) -> Never {
        var supervisor = Supervisor(orders)
        supervisor.serve()
    }

    private init(_ orders: ParentOrders) {
        machine = SupervisorMachine(orders.settings)
        self.orders = orders
        lines = ParentLines(form: orders.form)
        environment = ParentEnvironment()
        manager = ServiceManager(address: environment["NOTIFY_SOCKET"])
        guard Subreaper.become() || getpid() == 1 else {
            lines.write("this system does not let it keep what a worker leaves behind (prctl): use --supervise off")
            _exit(SupervisorMachine.Settings.internalError)
        }
        if !orders.reportsCrashes { CoreDumps.forbid() }
        guard let signals = SignalDescriptor() else {
            lines.write("no descriptor for signals")
            _exit(SupervisorMachine.Settings.internalError)
        }
        self.signals = signals
    }

    private mutating func serve() -> Never {
        warnOfChildren()
        step(.start)
        while true {
            let (hasLines, hasSignal) = wait()
            // What the worker said before its end comes before its end.
            if hasLines { hear() }
            if hasSignal { take(signals.read()) }
            if machine.isClearing { clear() }
            step(.timer)
        }
    }

    /// What an entrypoint has started before it became this process. When a worker has ended nothing tells
    /// that from what the worker left behind.
    private func warnOfChildren() {
        let pids = Children.all()
        guard !pids.isEmpty else { return }
        let listed = pids.prefix(16).map { "\($0)" }.joined(separator: ", ")
        lines.write(
            "processes \(listed) were started before this one, and are killed when its worker ends", level: .warning)
    }

    private mutating func step(_ event: SupervisorMachine.Event) {
        for action in machine.step(event, now: Self.now) {
            switch action {
            case .startWorker(let afterCrash):
                startWorker(orders.words(afterCrash ? .workerAfterCrash : .worker))
            case .forward(let number): if let worker { _ = kill(worker, number) }
            case .clear: clear()
            case .startReleaser(let claim): startReleaser(claim)
            case .say(let text): lines.write(text)
            case .notify(let notice): manager?.tell(notice)
            case .end(let code): _exit(code)
            }
        }
    }

    private mutating func wait() -> (hasLines: Bool, hasSignal: Bool) {
        var pause: Duration?
        if machine.isClearing {
            pause = Self.clearingPause
        } else {
            let now = Self.now
            pages.drop(now)
            let looks = [machine.nextLook, pages.nextDrop].compactMap { $0 }
            pause = looks.min().map { min(max($0 - now, .zero), .seconds(60)) }
        }
        let timeout = pause.map { Int32(($0 / .milliseconds(1)).rounded(.up)) } ?? -1
        var places = [
            pollfd(fd: signals.descriptor, events: Int16(POLLIN), revents: 0),
            // A negative one is passed over.
            pollfd(fd: link?.descriptor ?? -1, events: Int16(POLLIN), revents: 0),
        ]
        let count = unsafe poll(&places, nfds_t(places.count), timeout)
        if count > 0 { pages.wereUsed() }
        return (places[1].revents != 0, places[0].revents != 0)
    }

    /// Everything that the worker has said so far.
    private mutating func hear() {
        guard link != nil else { return }
        for line in link?.read() ?? [] { step(.told(line)) }
        if link?.isOver == true { closeLink() }
    }

    private mutating func closeLink() {
        link?.close()
        link = nil
    }

    private mutating func take(_ received: [Int32]) {
        for signal in received where signal != SIGCHLD {
            step(.signal(signal))
        }
        reap()
    }

    /// Takes in all children that have ended: also those that were adopted.
    private mutating func reap() {
        while true {
            var status: Int32 = 0
            let pid = unsafe waitpid(-1, &status, WNOHANG)
            if pid < 0, errno == EINTR { continue }
            guard pid > 0 else {
                if pid < 0, machine.isClearing { step(.cleared) }
                return
            }
            if pid == worker {
                worker = nil
                hear()
                closeLink()
                step(.workerEnded(ProcessEnd(status: status)))
            } else if pid == releaser {
                releaser = nil
                step(.releaserEnded(ProcessEnd(status: status)))
            }
        }
    }

    private mutating func clear() {
        Children.signalAll(SIGKILL)
        reap()
    }

    private mutating func startWorker(_ words: [String]) {
        var ends: [Int32] = [0, 0]
        guard unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Self.closedOnExec, 0, &ends) == 0 else {
            return step(.notStarted("no socket pair: \(unsafe String(cString: strerror(errno)))"))
        }
        defer { _ = close(ends[1]) }
        var spawn = Spawn(words, environment: environment.ofWorker(reportsCrashes: orders.reportsCrashes))
        spawn.path = orders.executable
        spawn.input = 0
        spawn.output = 1
        spawn.errors = 2
        spawn.control = ends[1]
        // A shell's job control and the terminal see one job, as without a parent.
        spawn.hasOwnGroup = false
        spawn.keptSignals = signals.ignored
        do {
            worker = try spawn.start()
            link = WorkerLink(ends[0])
        } catch {
            _ = close(ends[0])
            step(.notStarted("\(error)"))
        }
    }

    private mutating func startReleaser(_ claim: String) {
        var ends: [Int32] = [0, 0]
        guard unsafe pipe(&ends) == 0 else { return step(.notStarted("no pipe for the releaser")) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        // Less than a pipe holds without a reader.
        let bytes = Array(claim.utf8)
        _ = unsafe write(ends[1], bytes, bytes.count)
        _ = close(ends[1])
        defer { _ = close(ends[0]) }
        var spawn = Spawn(orders.words(.releaser), environment: environment.ofWorker(reportsCrashes: false))
        spawn.path = orders.executable
        spawn.input = ends[0]
        spawn.errors = 2
        do { releaser = try spawn.start() } catch { step(.notStarted("\(error)")) }
    }

    private static var now: Duration {
        var time = timespec()
        _ = unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return .seconds(Int64(time.tv_sec)) + .nanoseconds(Int64(time.tv_nsec))
    }
}
