import ExpirationStream
import LeaderElection
import Logging
import RedisClient
import Timing

/// One task gives the machine its events, one after the other; each order is a task of its own, which ends with an event.
struct WorkLoop {
    /// What a task has to tell.
    struct Report: Sendable {
        /// Nil when it says nothing to the machine.
        var event: WorkMachine.Event?
        var partition = ""
        var found: WorkStream.Found = []
        /// The layout was looked at; it is looked at again later.
        var hasLooked = false
    }

    /// How often the layout is read.
    private static let lookPause = Duration.seconds(5)
    /// How long a handler may take to end once it is cancelled, before its entry is given back.
    private static let cancelPause = Duration.seconds(2)

    private let worker: RunningWorker
    private var machine: WorkMachine
    /// What is in hand; nil for what is no expiration.
    private var contents: [WorkEntry: StreamEntry?] = [:]

    init(_ worker: RunningWorker) {
        self.worker = worker
        machine = WorkMachine(worker.settings)
    }

    mutating func run(_ partitions: [String]) async {
        await withTaskGroup(of: Report.self) { group in
            // The order to end, from wherever it comes.
            group.addTask { [worker] in
                await worker.stopped.wait()
                return Report(event: .leave)
            }
            lookLater(&group)
            var next: Report? = Report(event: .partitions(partitions))
            while let report = next {
                if report.hasLooked { lookLater(&group) }
                if let event = report.event {
                    take(report)
                    let busyBefore = machine.running
                    for action in machine.step(event, now: now) { start(action, &group) }
                    switch event {
                    case .leave: later(worker.configuration.drain, .drainOver, &group)
                    case .drainOver: later(Self.cancelPause, .cancelOver, &group)
                    case .cancelOver: worker.waitsForHandlers(busyBefore - machine.running)
                    default: break
                    }
                    forget()
                    worker.stands(machine)
                    if machine.isFinished || Task.isCancelled { break }
                }
                next = await group.next()
            }
            // Timers, the look at the layout; and everything, where the task was cancelled.
            group.cancelAll()
            worker.cancelled.open()
        }
    }

    private var now: Duration { SystemClock.read().monotonic }

    private mutating func take(_ report: Report) {
        for (id, entry) in report.found {
            let name = WorkEntry(report.partition, id)
            if contents[name] == nil { contents[name] = .some(entry) }
        }
    }

    /// Drops what is in hand no more, once that has become as much as what is.
    private mutating func forget() {
        guard contents.count > 2 * machine.inHand + 64 else { return }
        contents = contents.filter { machine.holds($0.key) }
    }

    private func lookLater(_ group: inout TaskGroup<Report>) {
        // Beside the work, so that nothing waits for it.
        group.addTask { [worker] in
            await worker.sleep(Self.lookPause)
            return await worker.look()
        }
    }

    private func later(_ time: Duration, _ event: WorkMachine.Event, _ group: inout TaskGroup<Report>) {
        // Cancelled when the handlers have ended before.
        group.addTask { [worker] in
            await worker.sleep(time)
            return Report(event: event)
        }
    }

    private func start(_ action: WorkMachine.Action, _ group: inout TaskGroup<Report>) {
        switch action {
        case .wake(let at):
            let time = at - now
            // A timer.
            group.addTask { [worker] in
                await worker.sleep(max(time, .zero))
                return Report(event: .tick)
            }
        case .handle(let entry, let attempt):
            guard let content = contents[entry] ?? nil else {
                let failure = WorkMachine.AttemptFailure(
                    text: "it is no expiration: its fields are not those that lapse writes", advice: .pointless)
                // The answer comes as all others do.
                group.addTask { Report(event: .failed(entry, failure)) }
                return
            }
            // Handlers run in the common pool: one that blocks keeps no heartbeat waiting.
            group.addTask(executorPreference: globalConcurrentExecutor) { [worker] in
                Report(event: await worker.handle(entry, content, attempt))
            }
        case .bury(let entry, let attempts, let error):
            let content = contents[entry] ?? nil
            // As all that asks Redis, beside the loop.
            group.addTask { [worker] in
                Report(event: await worker.bury(entry, content, attempts: attempts, error))
            }
        case .cancelHandlers: worker.cancelled.open()
        default:
            // Redis takes its time, and the loop goes on meanwhile.
            group.addTask { [worker] in await worker.perform(action) }
        }
    }
}
