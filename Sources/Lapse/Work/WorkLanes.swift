import Synchronization
import Timing

/// The places where a worker's handlers run. They live as long as it: to start a task for each entry
/// would cost more than all else.
struct WorkLanes: Sendable {
    let worker: RunningWorker
    let queue: AttemptQueue
    let mailbox: WorkMailbox

    /// Works until handlers are to end; what none has begun by then is reported as failed.
    func run() async {
        let attempts = (0..<worker.configuration.concurrency).map { _ in RunningAttempt() }
        await withDiscardingTaskGroup { group in
            for attempt in attempts {
                // Handlers run in the common pool: one that blocks keeps no heartbeat waiting. The group awaits them.
                group.addTask(executorPreference: globalConcurrentExecutor) { await self.serve(attempt) }
            }
            // Beside the lanes, which may all be held up; cancelled with them.
            group.addTask { await self.watch(attempts) }
            await worker.cancelled.wait()
            group.cancelAll()
            for job in queue.close() { mailbox.ended(job.entry, .untaken) }
        }
    }

    /// Handlers that ignore their cancellation keep their lane, and their entries from other workers, for
    /// as long as they like: that must be said.
    private func watch(_ attempts: [RunningAttempt]) async {
        let patience = worker.configuration.handlerTimeout + worker.configuration.claimAfter
        let bell = worker.bell()
        while await bell.wait(upTo: .seconds(1)) != .cancelled {
            let now = SystemClock.glance().monotonic
            worker.doNotEnd(attempts.count { $0.lasts(longerThan: patience, at: now) }, of: attempts.count)
        }
    }

    private func serve(_ attempt: RunningAttempt) async {
        let worker = worker
        await Deadline.rounds({ worker.bell() }, timeout: worker.configuration.handlerTimeout) { deadline in
            while let job = await queue.next() {
                attempt.begins()
                let failure = await worker.handle(job, deadline)
                attempt.ends()
                mailbox.ended(job.entry, failure)
                // The round was cancelled, and what is called in it would be, too.
                if deadline.hasPassed { return false }
            }
            return true
        }
    }
}

/// When the attempt began that runs in a lane.
private final class RunningAttempt: Sendable {
    /// Nanoseconds of the monotonic clock; 0 while none runs.
    private let began = Atomic<Int64>(0)

    func begins() { began.store(SystemClock.glance().monotonic, ordering: .relaxed) }

    func ends() { began.store(0, ordering: .relaxed) }

    func lasts(longerThan limit: Duration, at now: Int64) -> Bool {
        let began = began.load(ordering: .relaxed)
        return began != 0 && .nanoseconds(now - began) > limit
    }
}
