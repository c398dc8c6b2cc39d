import Timing

/// The places where a worker's handlers run. They live as long as it: to start a task for each entry
/// would cost more than all else.
struct WorkLanes: Sendable {
    let worker: RunningWorker
    let queue: AttemptQueue
    let mailbox: WorkMailbox

    /// Works until handlers are to end; what none has begun by then is reported as failed.
    func run() async {
        await withDiscardingTaskGroup { group in
            for _ in 0..<worker.configuration.concurrency {
                // Handlers run in the common pool: one that blocks keeps no heartbeat waiting. The group awaits them.
                group.addTask(executorPreference: globalConcurrentExecutor) { await self.serve() }
            }
            await worker.cancelled.wait()
            group.cancelAll()
            for job in queue.close() { mailbox.put(job.untaken) }
        }
    }

    private func serve() async {
        let worker = worker
        await Deadline.rounds({ worker.bell() }, timeout: worker.configuration.handlerTimeout) { deadline in
            while let job = await queue.next() {
                mailbox.put(.init(event: await worker.handle(job, deadline)))
                // The round was cancelled, and what is called in it would be, too.
                if deadline.hasPassed { return false }
            }
            return true
        }
    }
}
