import LeaderElection
import Logging
import NIOCore
import RedisClient
import Timing

/// What a replica does while it leads: read where the last leader stood, move the cursors, write
/// progress, drain.
struct Leadership: Sendable {
    let dispatcher: Dispatcher
    let keeper: ProgressKeeper
    let logs: LogSet
    let lanes: Int
    let drain: Duration
    /// Everything but the handlers runs here, so that a handler that blocks its thread delays nothing else.
    let executor: EventLoopTaskExecutor
    let loop: any EventLoop
    let lane: Lane.Dependencies
    /// Finds what Redis forgot; nil without companion rules.
    let reconciler: Reconciler?
    /// Makes the servers punctual; nil where they are not to be.
    let punctuality: Punctuality?
    /// Proves that expirations are heard; nil where none are set.
    let canaries: Canaries?
    /// Looks after its partitions while this replica leads; nil without a stream.
    let stream: StreamWriter?
    let ownLocks: OwnLocks
    let resign: @Sendable () -> Void
    /// Whether no peer has anything that is missing here.
    let isWhole: @Sendable () -> Bool
    /// Carries out what operators want: a pause holds on through terms.
    let steer: @Sendable () async -> Void
    /// Makes sure of the numbers that the next leader will go by.
    let checkNumbers: @Sendable () async -> Void
    /// Whether a node has been away for so long that its progress is needed no more.
    let isAbsent: @Sendable (String) -> Bool
    /// What is to be told of this term later.
    let ledger: TraceLedger
    let id: String
    let logger: Logger
    /// How long a term waits for progress that cannot be read, before it leaves the lease to another
    /// replica.
    let readingPatience: Duration
    /// Tells the followers, over the control channel, what the registers refuse to take.
    let share: @Sendable ([Progress], FencingToken) async -> Void
    /// How often progress is written when it has moved.
    var progressInterval: Duration = .milliseconds(250)

    func lead(_ term: Term) async {
        async let lapsed = ownLocks.lapsed(term.claim)
        guard let (progress, reading) = await lastProgress(term) else { return }
        ownLocks.termBegins(await lapsed, progress)
        await steer()
        // Peers may have found out about a reset or forged messages just now.
        logs.adopt(bases: keeper.bases)
        ledger.began(
            term: term.number, token: term.token.rawValue, id: id, found: progress, now: WallClock.milliseconds())
        defer { ledger.ended(token: term.token.rawValue, now: WallClock.milliseconds()) }
        dispatcher.lead(token: term.token, progress: progress, now: WallClock.milliseconds())
        // Not before: the epoch of the store came with the progress.
        stream?.lead(term)
        let watch = AccountWatch(logger)
        let care = careful(reading, progress, term)
        var lane = lane
        lane.care = care
        let dependencies = lane
        lane.deadLetters.begin()
        await withDiscardingTaskGroup { group in
            // All end with the term, and the group awaits them.
            group.addTask(executorPreference: executor) { await dependencies.writeDeadLetters(term) }
            group.addTask(executorPreference: executor) { await dependencies.deadLetters.check() }
            if let care { group.addTask(executorPreference: executor) { await care.run() } }
            group.addTask(executorPreference: executor) { await closeInTime(term, care) }
            if case .batches(let handler, let atOnce, let limit, _) = dependencies.handler {
                for _ in 0..<min(lanes, atOnce ?? lanes) {
                    group.addTask {
                        guard await mayServe(care) else { return }
                        await BatchLane(handler, upTo: limit, dependencies: dependencies, term: term).serve()
                    }
                }
            } else {
                for number in 0..<lanes {
                    group.addTask {
                        guard await mayServe(care) else { return }
                        await Lane(number, dependencies: dependencies, term: term).serve()
                    }
                }
            }
            group.addTask(executorPreference: executor) { await writeProgress(term, watch) }
            group.addTask(executorPreference: executor) { await watchReading(term) }
            group.addTask(executorPreference: executor) { await watchDispatcher() }
            group.addTask(executorPreference: executor) { await sayWhetherWhole(term) }
            // What waits for its numbers must not wait for the feeds' next look.
            if logs.all.contains(where: \.isProvisional) {
                group.addTask(executorPreference: executor) { await checkNumbers() }
            }
            if let reconciler { group.addTask(executorPreference: executor) { await reconciler.run() } }
            if let punctuality { group.addTask(executorPreference: executor) { await punctuality.run() } }
            if let canaries { group.addTask(executorPreference: executor) { await canaries.run() } }
            await term.drainRequested()
            dispatcher.stopHandingOut()
            if term.lease.isValid {
                async let checked: Void = checkNumbers()
                await waitUntilDrained()
                await checked
            }
            group.cancelAll()
        }
        async let withdrawn: Void? = canaries?.withdraw()
        let final = dispatcher.inspect { $0.progress() }
        // Written or not, it is true: this replica may be the next leader.
        keeper.learn(final)
        watch.close(dispatcher.inspect { $0.accounts() })
        dispatcher.update { $0.end() }
        guard term.lease.isValid else {
            // The next leader, if it has not read yet, learns that this one did not die over what it had begun.
            if let care { await keeper.write(care.survived) }
            return
        }
        async let closed: Void = keeper.close(care?.survived ?? Suspects(token: term.token.rawValue))
        await handOver(final, term)
        await closed
        _ = await withdrawn
    }

    /// Writes where this term ends, so that the next leader finds everything finished that was. Tried again
    /// as long as the lease lasts and ``ProgressHandOver`` says; a lease that has lapsed writes no more.
    private func handOver(_ final: [Progress], _ term: Term) async {
        let bell = Doorbell(on: loop)
        var backoff = Backoff(first: .milliseconds(20), cap: .milliseconds(200))
        var handOver = ProgressHandOver(patience: readingPatience, now: SystemClock.read().monotonic)
        tries: while term.lease.isValid {
            let outcome = await keeper.write(final, token: term.token)
            let isRefused = keeper.troubles.writing?.isRefusal ?? false
            switch handOver.wrote(outcome, isRefused: isRefused, now: SystemClock.read().monotonic) {
            case .done: return
            case .giveUp: break tries
            case .tryAgain(let tells): if tells, term.lease.isValid { await share(final, term.token) }
            }
            if await bell.wait(upTo: backoff.next()) == .cancelled { break }
        }
        if term.lease.isValid { await share(final, term.token) }
        guard let trouble = keeper.troubles.writing else { return }
        logger.warning(
            "last progress not written: what was handled lately may be handled again",
            metadata: ["register": "\(trouble.register)", "error": "\(trouble.text)"])
    }

    /// A majority's word on where the last leader stood; nil when the term ends before it is had.
    private func lastProgress(_ term: Term) async -> (progress: [String: Progress], ProgressReading)? {
        let bell = Doorbell(on: loop)
        var backoff = Backoff(first: .milliseconds(50), cap: .milliseconds(500))
        let deadline = SystemClock.read().monotonic + readingPatience
        while term.lease.isValid, !Task.isCancelled, !term.isDrainRequested {
            if let reading = await keeper.read(fencing: term.token) {
                return await begin(from: reading, term).map { ($0, reading) }
            }
            if SystemClock.read().monotonic >= deadline {
                giveUp(term)
                return nil
            }
            if await bell.wait(upTo: backoff.next()) == .cancelled { break }
        }
        return nil
    }

    /// Where this term begins. Tokens that are none of this store's, or larger than the one it has given
    /// now, say that the lease has moved or its store was wiped: told before anything is handled, and the
    /// cursors are kept.
    private func begin(from reading: ProgressReading, _ term: Term) async -> [String: Progress]? {
        guard let contradiction = reading.contradiction(of: term.token.rawValue, store: keeper.store) else {
            return Progress.newest([reading.entries, keeper.latest])
        }
        var metadata: Logger.Metadata = ["store": "\(keeper.store)", "token": .stringConvertible(term.token.rawValue)]
        switch contradiction {
        case .moved(let from):
            metadata["from"] = "\(from ?? "another store")"
            metadata["fix"] = """
                nothing, if every replica was stopped and now uses this store: else stop those that use the other one. Resources that \
                check tokens may refuse this store's: reset what they remember
                """
            logger.error("the lease has moved to another store: cursors are kept", metadata: metadata)
        case .forgotten(let token):
            // Were this a leader of the past, its next renewal would fail.
            guard await renewed(term) else { return nil }
            metadata["writtenUnder"] = "\(token)"
            metadata["fix"] = """
                restore the store's data if tokens are checked by a resource, or reset what it remembers; else nothing: was the store \
                wiped or restored from an old backup?
                """
            logger.error("the store has forgotten its tokens: this term's is below an earlier one", metadata: metadata)
        }
        if await keeper.adopt(reading, token: term.token) != .written {
            logger.warning(
                "progress not renumbered yet", metadata: ["error": "\(keeper.troubles.writing?.text ?? "refused")"])
        }
        return term.lease.isValid ? keeper.latest : nil
    }

    /// Waits for a renewal of the lease that was begun after now.
    private func renewed(_ term: Term) async -> Bool {
        let bell = Doorbell(on: loop)
        let until = term.lease.leadUntil
        while term.lease.isValid, !Task.isCancelled, !term.isDrainRequested {
            if term.lease.leadUntil > until { return true }
            if await bell.wait(upTo: .milliseconds(20)) == .cancelled { break }
        }
        return false
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
        var trouble = LastingTrouble()
        var sharedAt: Duration?
        while await bell.wait(upTo: progressInterval) != .cancelled {
            let progress = dispatcher.inspect { $0.progress() }
            watch.look(dispatcher.inspect { $0.accounts() })
            // Followers take what the registers lack for removed.
            unwritten.lost(keeper.takeLacked())
            let moved = unwritten.moved(progress)
            guard term.lease.isValid else { continue }
            await keeper.remove(logs.replaced(keeper.latest, isAbsent: isAbsent), token: term.token)
            guard !moved.isEmpty else { continue }
            let now = SystemClock.read().monotonic
            switch await keeper.write(moved, token: term.token) {
            case .written:
                tell(&trouble, nil, now)
                unwritten.wrote(moved)
                // Only what is written is finished for the next leader: it would ask for the rest, and call it lost.
                for entry in moved { logs[entry.runID]?.trim(through: entry.cursor.settled) }
            case .failed:
                // It is true all the same, and this replica may be the next leader.
                keeper.learn(moved)
                let refusal = keeper.troubles.writing
                tell(&trouble, refusal, now)
                guard refusal?.isRefusal ?? false, sharedAt.map({ now - $0 >= .seconds(1) }) ?? true else { continue }
                sharedAt = now
                await share(moved, term.token)
            case .fenced:
                logger.error(
                    "progress refused: a later term has begun", metadata: ["term": .stringConvertible(term.number)])
                resign()
                return
            }
        }
    }

    /// A replica that leaves waits for it: see `Farewell`.
    private func sayWhetherWhole(_ term: Term) async {
        let bell = Doorbell(on: loop)
        var said: Bool?
        repeat {
            let isWhole = dispatcher.inspect { $0.isWhole } && self.isWhole()
            guard isWhole != said, term.lease.isValid else { continue }
            // What too few registers have taken may stand in some: it is said again whatever it was.
            let isTaken = await keeper.write(Wholeness(token: term.token.rawValue, isWhole: isWhole))
            said = isTaken ? isWhole : nil
        } while await bell.wait(upTo: progressInterval) != .cancelled
    }

    private func tell(_ trouble: inout LastingTrouble, _ reason: ProgressTrouble?, _ now: Duration) {
        switch trouble.look(reason != nil, isRefusal: reason?.isRefusal ?? false, now: now) {
        case .tell:
            logger.error(
                "progress cannot be written: a crash would repeat more than usual",
                metadata: ["register": "\(reason?.register ?? "")", "error": "\(reason?.text ?? "")"])
        case .over: logger.notice("progress is written again")
        case .nothing: break
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
