import LeaderElection
import Logging
import NIOCore
import RedisClient

/// What a replica does while it leads: read where the last leader stood, move the cursors, write progress, drain.
struct Leadership: Sendable {
    let dispatcher: Dispatcher
    let keeper: ProgressKeeper
    let logs: LogBook
    let lanes: Int
    let drain: Duration
    /// Everything but the handlers runs here, so that a handler that blocks its thread delays nothing else.
    let executor: EventLoopTaskExecutor
    let loop: any EventLoop
    let lane: Lane.Surroundings
    /// Finds what Redis forgot; nil without companion rules.
    let reconciler: Reconciler?
    let resign: @Sendable () -> Void
    /// Makes sure of the numbers that the next leader will go by.
    let checkNumbers: @Sendable () async -> Void
    /// Whether a node has been away for so long that its progress is needed no more.
    let isAbsent: @Sendable (String) -> Bool
    let logger: Logger
    /// How often progress is written when it has moved.
    var progressInterval: Duration = .milliseconds(250)

    func lead(_ term: Term) async {
        guard let progress = await lastProgress(term) else { return }
        dispatcher.begin(token: term.token, progress: progress, now: WallClock.milliseconds())
        let watch = AccountWatch(logger)
        await withDiscardingTaskGroup { group in
            for number in 0..<lanes { group.addTask { await Lane(number, around: lane, term: term).serve() } }
            group.addTask(executorPreference: executor) { await writeProgress(term, watch) }
            group.addTask(executorPreference: executor) { await watchDispatcher() }
            // What waits for its numbers must not wait for the feeds' next look.
            if logs.all.contains(where: \.isProvisional) {
                group.addTask(executorPreference: executor) { await checkNumbers() }
            }
            if let reconciler { group.addTask(executorPreference: executor) { await reconciler.run() } }
            await term.drainRequested()
            dispatcher.stopIntake()
            if term.lease.isValid {
                async let checked: Void = checkNumbers()
                await waitUntilDrained()
                await checked
            }
            group.cancelAll()
        }
        let final = dispatcher.progress()
        watch.close(dispatcher.accounts())
        dispatcher.end()
        // Whoever reads it next finds everything finished that was; a lease that has lapsed writes no more.
        if term.lease.isValid { _ = await keeper.write(final, token: term.token) }
    }

    /// A majority's word on where the last leader stood; nil when the term ends before it is had.
    private func lastProgress(_ term: Term) async -> [String: Progress]? {
        let bell = Doorbell(on: loop)
        while term.lease.isValid, !Task.isCancelled, !term.isDrainRequested {
            if let read = await keeper.read(fencing: term.token) { return Progress.newest([read, keeper.latest]) }
            if await bell.wait(upTo: .milliseconds(50)) == .cancelled { break }
        }
        return nil
    }

    private func waitUntilDrained() async {
        let timer = loop.scheduleTask(in: TimeAmount(drain)) { dispatcher.stopWaiting() }
        await withTaskCancellationHandler {
            await dispatcher.drained()
        } onCancel: {
            dispatcher.stopWaiting()
        }
        timer.cancel()
    }

    private func writeProgress(_ term: Term, _ watch: AccountWatch) async {
        let bell = Doorbell(on: loop)
        var unwritten = UnwrittenProgress()
        while await bell.wait(upTo: progressInterval) != .cancelled {
            let progress = dispatcher.progress()
            watch.look(dispatcher.accounts())
            let moved = unwritten.moved(progress)
            guard term.lease.isValid else { continue }
            await keeper.remove(logs.replaced(keeper.latest, isAbsent: isAbsent), token: term.token)
            guard !moved.isEmpty else { continue }
            switch await keeper.write(moved, token: term.token) {
            case .written:
                unwritten.wrote(moved)
                // Only what is written is finished for the next leader: it would ask for the rest, and call it lost.
                for entry in moved { logs[entry.runID]?.trim(through: entry.cursor.settled) }
            case .failed: logger.debug("progress not written", metadata: ["logs": "\(moved.count)"])
            case .fenced:
                logger.error("progress refused: a later term has begun", metadata: ["term": "\(term.number)"])
                resign()
                return
            }
        }
    }

    private func watchDispatcher() async {
        var next: Duration?
        while true {
            let now = SystemClock.read().monotonic
            let wait = next.map { max($0 - now, .milliseconds(1)) }
            if await dispatcher.bell.wait(upTo: wait) == .cancelled { return }
            next = dispatcher.watch(now: SystemClock.read().monotonic)
        }
    }
}
