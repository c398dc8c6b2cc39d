/// What the parent of a worker does, as a pure value.
///
/// ```
/// running ─worker ended─▶ clearing ─no child is left─▶ releasing ─▶ pausing ─▶ running
///                                                              └─────────────▶ over
/// ```
///
/// What it promises, whatever comes in:
/// - a claim is released, and a worker begun, only when no process of the last worker is left;
/// - of a worker that led for less than ``Settings/shortestTerm`` nothing is released, unless it never
///   led: if what it led over killed it, the next leader may be killed too, and the lease is what lies
///   between;
/// - only a worker that crashed is begun again, and no more once an end was asked for.
package struct SupervisorMachine: Sendable {
    package enum Event: Sendable, Equatable {
        case start
        case told(WorkerLine)
        case workerEnded(ProcessEnd)
        /// The worker has ended and the parent has no child any more.
        case cleared
        case releaserEnded(ProcessEnd)
        case signal(Int32)
        /// A process could not be started.
        case notStarted(String)
        case timer
    }

    package enum Action: Sendable, Equatable {
        /// - Parameter afterCrash: the one before may have stopped in the middle of a line of its output.
        case startWorker(afterCrash: Bool)
        case forward(Int32)
        /// Kill all children and take them in, until there is none.
        case clear
        /// Run the store's own release for this claim.
        case startReleaser(claim: String)
        case say(String)
        /// To the service manager.
        case notify(ServiceNotice)
        case end(Int32)
    }

    private enum Phase: Sendable, Equatable {
        case idle
        case running(since: Duration)
        case clearing(ProcessEnd, since: Duration, until: Duration)
        case releasing(ProcessEnd, until: Duration, isKilled: Bool = false)
        case pausing(until: Duration)
        case over
    }

    private let settings: Settings
    private var phase: Phase = .idle
    /// The last claim that the worker told and did not give back.
    private var claim: String?
    /// When it won.
    private var ledSince: Duration?
    private var isEndAsked = false
    private var isReady = false
    private var crashes = 0
    private var actions: [Action] = []

    package init(_ settings: Settings) { self.settings = settings }

    /// `now` is a monotonic time.
    package mutating func step(_ event: Event, now: Duration) -> [Action] {
        switch event {
        case .start: if phase == .idle { begin(now, afterCrash: false) }
        case .told(let line): heard(line, now)
        case .workerEnded(let end): ended(end, now)
        case .cleared: if case .clearing(let end, _, _) = phase { cleared(end, now) }
        case .releaserEnded(let releaser): if case .releasing(let end, _, _) = phase { released(releaser, end, now) }
        case .signal(let number): signal(number, now)
        case .notStarted(let reason): notStarted(reason, now)
        case .timer: tick(now)
        }
        defer { actions.removeAll() }
        return actions
    }

    /// When a ``Event/timer`` is wanted.
    package var nextLook: Duration? {
        switch phase {
        case .idle, .running, .over: nil
        case .clearing(_, _, let limit), .releasing(_, let limit, _), .pausing(let limit): limit
        }
    }

    /// Until no child is left, the children are looked at again and again: one may fork while it is looked
    /// for.
    package var isClearing: Bool { if case .clearing = phase { true } else { false } }

    // MARK: The worker

    private mutating func begin(_ now: Duration, afterCrash: Bool) {
        claim = nil
        ledSince = nil
        phase = .running(since: now)
        actions.append(.startWorker(afterCrash: afterCrash))
    }

    private mutating func heard(_ line: WorkerLine, _ now: Duration) {
        guard case .running = phase else { return }
        switch line {
        case .claim(let text):
            claim = text
            ledSince = nil
        case .leads: if claim != nil { ledSince = ledSince ?? now }
        case .released:
            claim = nil
            ledSince = nil
        case .ready:
            if !isReady { actions.append(.notify(.ready)) }
            isReady = true
        case .alive: actions.append(.notify(.alive))
        }
    }

    private mutating func ended(_ end: ProcessEnd, _ now: Duration) {
        guard case .running(let since) = phase else { return }
        if isCrash(end) {
            crashes = now - since >= settings.forgetCrashesAfter ? 1 : crashes + 1
            actions.append(.say("the worker \(end.words)"))
        }
        phase = .clearing(end, since: now, until: now + settings.clearLimit)
        actions.append(.clear)
    }

    /// An exit code is the worker's own word; but one that says `internal` and holds the lease did not end
    /// in order.
    private func isCrash(_ end: ProcessEnd) -> Bool {
        switch end {
        case .signalled: true
        case .exited(let code): code == Settings.internalError && ledSince != nil
        }
    }

    private mutating func cleared(_ end: ProcessEnd, _ now: Duration) {
        guard let claim else { return goOn(after: end, now) }
        if isCrash(end), case .clearing(_, let died, _) = phase, let ledSince, died - ledSince < settings.shortestTerm {
            actions.append(
                .say("it led for less than \(settings.shortestTerm.words): its lease is left to run out"))
            return goOn(after: end, now)
        }
        self.claim = nil
        phase = .releasing(end, until: now + settings.releaseLimit)
        actions.append(.startReleaser(claim: claim))
    }

    private mutating func released(_ releaser: ProcessEnd, _ end: ProcessEnd, _ now: Duration) {
        if releaser != .exited(0) { actions.append(.say("the lease was not released: it runs out by itself")) }
        goOn(after: end, now)
    }

    private mutating func goOn(after end: ProcessEnd, _ now: Duration) {
        claim = nil
        guard isCrash(end), settings.onCrash == .restart, !isEndAsked else {
            phase = .over
            // Ended by the signal that was to end it, before it could take it in order.
            if case .signalled(let number) = end, isEndAsked, Settings.endSignals.contains(number) {
                return actions.append(.end(0))
            }
            actions.append(.end(end.code))
            return
        }
        ledSince = nil
        let pause = settings.pause(afterCrash: crashes)
        phase = .pausing(until: now + pause)
        actions.append(.notify(.alive))
    }

    // MARK: From outside

    private mutating func signal(_ number: Int32, _ now: Duration) {
        if Settings.endSignals.contains(number) { isEndAsked = true }
        switch phase {
        // Also one that a terminal may have sent to both: the worker takes two within a second for one.
        case .running: actions.append(.forward(number))
        case .pausing:
            guard isEndAsked else { return }
            // Nothing runs, and nothing is held.
            phase = .over
            actions.append(.end(0))
        case .idle, .clearing, .releasing, .over: break
        }
    }

    private mutating func notStarted(_ reason: String, _ now: Duration) {
        actions.append(.say(reason))
        switch phase {
        case .releasing(let end, _, _):
            actions.append(.say("the lease was not released: it runs out by itself"))
            goOn(after: end, now)
        case .running:
            // As when it had crashed at once: it may be memory that is short now.
            crashes += 1
            if isReady, settings.onCrash == .restart, !isEndAsked {
                phase = .pausing(until: now + settings.pause(afterCrash: crashes))
            } else {
                phase = .over
                actions.append(.end(Settings.internalError))
            }
        case .idle, .clearing, .pausing, .over: break
        }
    }

    private mutating func tick(_ now: Duration) {
        switch phase {
        case .clearing(_, _, let limit) where limit <= now:
            // In a wait of the kernel's that no signal ends. It may act later, so nothing is released.
            actions.append(.say("a process of the worker cannot be killed: ending"))
            phase = .over
            actions.append(.end(Settings.internalError))
        case .releasing(let end, let limit, let isKilled) where limit <= now:
            guard !isKilled else {
                actions.append(.say("the process that releases the lease cannot be killed: ending"))
                phase = .over
                return actions.append(.end(Settings.internalError))
            }
            // Its end is reported as any other's.
            actions.append(.clear)
            phase = .releasing(end, until: now + settings.clearLimit, isKilled: true)
        case .pausing(let limit) where limit <= now: begin(now, afterCrash: true)
        case .idle, .running, .clearing, .releasing, .pausing, .over: break
        }
    }
}
