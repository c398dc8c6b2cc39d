import ExpirationStream
import LeaderElection
import Logging
import RedisClient
import Timing

/// One task gives the machine what has come; attempts go to the lanes, and each other order is a task,
/// which ends with an event.
struct WorkLoop {
    /// What a task has to tell.
    struct Report: Sendable {
        /// Nil when it says nothing to the machine.
        var event: WorkMachine.Event?
        /// What it is told before that.
        var before: WorkMachine.Event?
        var partition = ""
        var found: [WorkStream.Found] = []
        /// The layout was looked at; it is looked at again later.
        var hasLooked = false
    }

    /// How often the layout is read.
    private static let lookPause = Duration.seconds(5)
    /// How long a handler may take to end once it is cancelled, before its entry is given back.
    private static let cancelPause = Duration.seconds(2)

    private let worker: RunningWorker
    private let mailbox: WorkMailbox
    private let queue = AttemptQueue()
    private var machine: WorkMachine
    /// What is in hand.
    private var contents: [WorkEntry: Result<WorkContent, NoExpiration>] = [:]
    /// About what these take in memory.
    private var bytes = 0
    /// When the machine is to have a tick.
    private var wakeAt: Duration?

    init(_ worker: RunningWorker) {
        self.worker = worker
        mailbox = WorkMailbox(bell: worker.bell())
        machine = WorkMachine(worker.settings)
    }

    mutating func run(_ partitions: [String]) async {
        await withDiscardingTaskGroup { group in
            // The handlers, which end with the loop.
            group.addTask { [worker, queue, mailbox] in
                await WorkLanes(worker: worker, queue: queue, mailbox: mailbox).run()
            }
            // The order to end, from wherever it comes.
            group.addTask { [worker, mailbox] in
                await worker.stopped.wait()
                mailbox.put(Report(event: .leave))
            }
            lookLater(&group)
            mailbox.put(Report(event: .partitions(partitions)))
            while !machine.isFinished, !Task.isCancelled {
                let wait = wakeAt.map { max(.zero, $0 - now) }
                take(await mailbox.take(upTo: wait), &group)
            }
            // Timers, the look at the layout; and everything, where the task was cancelled.
            group.cancelAll()
            worker.cancelled.open()
        }
    }

    /// All that has come meanwhile is one step: what became free goes into one order.
    private mutating func take(_ mail: WorkMailbox.Mail, _ group: inout DiscardingTaskGroup) {
        var events: [WorkMachine.Event] = []
        events.reserveCapacity(2 * mail.reports.count + 2)
        // Before any order to give them up.
        if !mail.handled.isEmpty { events.append(.handledAll(mail.handled)) }
        for report in mail.reports {
            if report.hasLooked { lookLater(&group) }
            take(report)
            if let before = report.before { events.append(before) }
            if let event = report.event { events.append(event) }
        }
        let now = now
        if let wakeAt, wakeAt <= now {
            self.wakeAt = nil
            events.append(.tick)
        }
        guard !events.isEmpty else { return }
        // First, alone: a call's own copy of the loop would have the machine copy all that is in hand.
        let actions = machine.step(events, now: now)
        start(actions, &group)
        for entry in mail.handled { drop(entry) }
        for report in mail.reports {
            switch report.event {
            case .leave: later(worker.configuration.drain, .drainOver, &group)
            case .drainOver: later(Self.cancelPause, .cancelOver, &group)
            case .cancelOver: worker.waitsForHandlers(machine.givenUp)
            default: break
            }
        }
        forget()
        worker.stands(machine)
    }

    private var now: Duration { SystemClock.read().monotonic }

    private mutating func take(_ report: Report) {
        for found in report.found {
            let name = WorkEntry(report.partition, found.id)
            // Known ones are the same.
            let known = contents.updateValue(found.content, forKey: name)
            bytes += found.content.bytes - (known?.bytes ?? 0)
        }
    }

    /// Its content is needed no more.
    private mutating func drop(_ entry: WorkEntry) {
        if let content = contents.removeValue(forKey: entry) { bytes -= content.bytes }
    }

    /// Drops what is in hand no more, once that has become as much as what is, or as an answer.
    private mutating func forget() {
        guard contents.count > 2 * machine.inHand + 64 || bytes > machine.bytes + WorkMachine.answerBytes else {
            return
        }
        contents = contents.filter { machine.holds($0.key) }
        bytes = contents.values.reduce(0) { $0 + $1.bytes }
    }

    private func lookLater(_ group: inout DiscardingTaskGroup) {
        // Beside the work, so that nothing waits for it.
        group.addTask { [worker, mailbox] in
            await worker.sleep(Self.lookPause)
            mailbox.put(await worker.look())
        }
    }

    private func later(_ time: Duration, _ event: WorkMachine.Event, _ group: inout DiscardingTaskGroup) {
        // Cancelled when the handlers have ended before.
        group.addTask { [worker, mailbox] in
            await worker.sleep(time)
            mailbox.put(Report(event: event))
        }
    }

    private mutating func start(_ actions: [WorkMachine.Action], _ group: inout DiscardingTaskGroup) {
        var jobs: [AttemptQueue.Job] = []
        for action in actions {
            guard case .handle(let entry, let attempt) = action else {
                start(action, &group)
                continue
            }
            switch contents[entry] ?? .failure(.foreign) {
            case .success(let content): jobs.append(.init(entry: entry, content: content, attempt: attempt))
            case .failure(let reason):
                let failure = WorkMachine.AttemptFailure(text: "\(reason)", advice: .pointless)
                // The answer comes as all others do.
                mailbox.put(Report(event: .failed(entry, failure)))
            }
        }
        if !jobs.isEmpty, !queue.add(jobs) { for job in jobs { mailbox.ended(job.entry, .untaken) } }
    }

    private mutating func start(_ action: WorkMachine.Action, _ group: inout DiscardingTaskGroup) {
        switch action {
        case .wake(let at): wakeAt = at
        case .bury(let entry, let attempts, let error):
            let content = try? contents[entry]?.get().entry
            // As all that asks Redis, beside the loop.
            group.addTask { [worker, mailbox] in
                mailbox.put(Report(event: await worker.bury(entry, content, attempts: attempts, error)))
            }
        case .cancelHandlers: worker.cancelled.open()
        default:
            // Redis takes its time, and the loop goes on meanwhile.
            group.addTask { [worker, mailbox] in mailbox.put(await worker.perform(action)) }
        }
    }
}
