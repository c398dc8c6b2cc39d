package import NIOCore

/// Runs tasks on one event loop, away from the cooperative pool: handlers that block every thread of
/// that pool must neither cost the lease nor delay stepping down.
package final class EventLoopTaskExecutor: TaskExecutor {
    private let eventLoop: any EventLoop

    package init(_ eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        eventLoop.execute {
            unsafe job.runSynchronously(on: self.asUnownedTaskExecutor())
        }
    }
}

extension EventLoop {
    /// Returns after `duration`, or when the task is cancelled. `Task.sleep` would wake up through the
    /// global pool.
    package func sleep(_ duration: Duration) async {
        let timer = scheduleTask(in: TimeAmount(duration)) {}
        await withTaskCancellationHandler {
            try? await timer.futureResult.get()
        } onCancel: {
            timer.cancel()
        }
    }
}
