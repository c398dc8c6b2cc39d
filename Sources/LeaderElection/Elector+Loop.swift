import Logging
import NIOCore
import Synchronization
import Timing

/// The loop that carries out what the machine decides. All of it runs on the elector's event loop.
extension Elector {
    /// The term under way.
    private struct Active {
        let term: Term
        let end = Gate()
    }

    /// Returns the term whose body ran past its lease, if there was one.
    func operate(on eventLoop: any EventLoop, _ body: @escaping @Sendable (Term) async throws -> Void) async
        -> UInt64?
    {
        let (entries, logLines) = AsyncStream.makeStream(of: ElectorLogLine.self)
        return await withDiscardingTaskGroup(returning: UInt64?.self) { group in
            group.addTask(executorPreference: globalConcurrentExecutor) {
                for await entry in entries { entry.write(to: self.logger) }
            }
            group.addTask { await self.store.run() }
            let wakeUps = store.wakeUps()
            group.addTask {
                for await _ in wakeUps { self.outbox.yield(.event(.wakeUp)) }
            }

            var machine = LeaseMachine(settings: settings, random: .system)
            var timer: Scheduled<Void>?
            var active: Active?
            var inFlight = 0
            var overran: UInt64?
            var isStopped = false
            var witnessed: String?
            var alarms = RegisterAlarms()

            loop: for await input in inbox {
                let event: LeaseMachine.Event
                switch input {
                case .event(let other): event = other
                case .answered(let request, let outcome):
                    inFlight -= 1
                    event = .answered(request, outcome)
                case .graceIsOver: break loop
                }
                let now = SystemClock.read()
                for effect in machine.step(event, now: now) {
                    switch effect {
                    case .send(let request):
                        if case .acquire(let claim) = request.operation, claim.value != witnessed {
                            witnessed = claim.value
                            configuration.witness?.claims(claim)
                        }
                        inFlight += 1
                        group.addTask { await self.ask(request, on: eventLoop) }
                    case .wake(let time):
                        timer?.cancel()
                        timer = time.map { time in
                            eventLoop.scheduleTask(in: TimeAmount(max(time - now.monotonic, .zero))) {
                                self.outbox.yield(.event(.timer))
                            }
                        }
                    case .beginTerm(let info):
                        let lease = Lease(info.window)
                        let begun = Active(
                            term: Term(
                                number: info.term, token: info.token, lease: lease, claim: info.claim))
                        active = begun
                        latest.withLock { latest in
                            latest.lease = lease
                            latest.state.term = info.term
                            latest.state.token = info.token
                        }
                        configuration.witness?.leads(info.claim)
                        alarms = RegisterAlarms()
                        changes.send(.leading(term: info.term, token: info.token))
                        logLines.yield(.becameLeader(info))
                        group.addTask {
                            let outcome = await self.lead(begun, logLines, body)
                            self.outbox.yield(.event(.bodyReturned(outcome)))
                        }
                    case .extendTerm(let window, let took):
                        active?.term.lease.extend(window)
                        latest.withLock { $0.state.lastRenewal = took }
                        logLines.yield(.renewed(took: took))
                        for step in alarms.renewed(machine.registers) { logLines.yield(line(step)) }
                    case .drain:
                        active?.term.drain.open()
                    case .endTerm(let reason):
                        guard let ended = active else { break }
                        // First the lease, which every thread sees at once, then the task.
                        ended.term.lease.end()
                        ended.end.open()
                        active = nil
                        changes.send(.ended(term: ended.term.number, reason))
                        logLines.yield(.ended(term: ended.term.number, reason))
                    case .note(let note):
                        changes.send(LeadershipChange(note))
                        logLines.yield(note == .suspect ? .renewalFailed(reasons(machine)) : .note(note))
                        if case .released = note { configuration.witness?.released() }
                        if case .overran(let term) = note {
                            overran = term
                            configuration.onOverrun?(term)
                        }
                    case .stopped:
                        isStopped = true
                        // Late votes are still given back, but not for ever.
                        eventLoop.scheduleTask(in: TimeAmount(settings.timing.operationTimeout)) {
                            self.outbox.yield(.graceIsOver)
                        }
                    }
                }
                publish(machine)
                if isStopped, inFlight == 0 { break }
            }
            if overran == nil { configuration.witness?.released() }
            outbox.finish()
            timer?.cancel()
            logLines.finish()
            group.cancelAll()
            return overran
        }
    }

    private func line(_ step: RegisterAlarms.Step) -> ElectorLogLine {
        switch step {
        case .lost(let index, let reason): .registerLost(registers[index].label, reason: reason)
        case .back(let index): .registerBack(registers[index].label)
        }
    }

    private func reasons(_ machine: LeaseMachine) -> [String] {
        zip(registers, machine.registers).compactMap { register, state in
            state.trouble.map { "\(register.label): \($0)" }
        }
    }

    private func publish(_ machine: LeaseMachine) {
        latest.withLock { latest in
            latest.state.role = ElectorState.Role(machine)
            latest.state.leader = machine.leader
            latest.state.refusal = machine.refusal
            for (index, state) in machine.registers.enumerated() { latest.state.registers[index].state = state }
        }
    }

    // MARK: The body

    /// Runs the body on the cooperative pool; cancels it, from here, when its term ends.
    private func lead(
        _ active: Active, _ logLines: AsyncStream<ElectorLogLine>.Continuation,
        _ body: @escaping @Sendable (Term) async throws -> Void
    ) async -> LeaseMachine.BodyOutcome {
        // Not a child: children inherit the preference for the event loop, or one for another executor, and a
        // task that has one looks it up at each `await`.
        let work = Task<LeaseMachine.BodyOutcome, Never> {
            do {
                try await body(active.term)
                return .returned
            } catch is FencedOut {
                return .fencedOut
            } catch {
                // A body that was cancelled says so by throwing.
                if !active.end.isOpen { logLines.yield(.bodyFailed(term: active.term.number, "\(error)")) }
                return .failed
            }
        }
        return await withTaskGroup(of: LeaseMachine.BodyOutcome?.self) { group in
            group.addTask {
                await withTaskCancellationHandler {
                    await work.value
                } onCancel: {
                    work.cancel()
                }
            }
            group.addTask {
                await active.end.wait()
                return nil
            }
            var outcome: LeaseMachine.BodyOutcome?
            while let finished = await group.next() {
                outcome = finished ?? outcome
                group.cancelAll()
            }
            return outcome ?? .returned
        }
    }

    // MARK: Registers

    /// Asks a register, and feeds its answer back, however late. One that takes a whole lease is cancelled.
    private func ask(_ request: LeaseMachine.Request, on eventLoop: any EventLoop) async {
        let register = registers[request.register]
        let patience = settings.timing.ttl
        let outcome = await withTaskGroup(of: LeaseMachine.Outcome?.self) { group in
            group.addTask { await register.perform(request.operation) }
            group.addTask {
                await eventLoop.sleep(patience)
                return nil
            }
            var outcome: LeaseMachine.Outcome?
            while let finished = await group.next() {
                outcome = finished ?? outcome
                group.cancelAll()
            }
            return outcome
        }
        outbox.yield(.answered(request, outcome ?? .failed(.timedOut)))
    }
}

extension LeaseRegister {
    fileprivate func perform(_ operation: LeaseMachine.Operation) async -> LeaseMachine.Outcome {
        do throws(RegisterError) {
            switch operation {
            case .acquire(let claim):
                return .acquired(try await acquire(claim))
            case .confirm(let claim, let token, let term):
                return .confirmed(try await confirm(claim, token: token, term: term))
            case .renew(let claim, let token, let term, let heal):
                return .renewed(try await renew(claim, token: token, term: term, heal: heal))
            case .release(let claim, let wake):
                try await release(claim, wake: wake)
                return .released
            }
        } catch {
            return .failed(error)
        }
    }
}

extension LeadershipChange {
    fileprivate init(_ note: LeaseMachine.Note) {
        switch note {
        case .suspect: self = .suspect
        case .recovered: self = .recovered
        case .following(let leader): self = .following(leader: leader)
        case .waiting(let reason): self = .waiting(reason)
        case .refused(let reason): self = .refused(reason)
        case .released: self = .released
        case .overran(let term): self = .overran(term: term)
        }
    }
}

extension ElectorState.Role {
    fileprivate init(_ machine: LeaseMachine) {
        switch machine.state {
        case .idle: self = machine.leader == nil ? .waiting : .following
        case .campaigning, .confirming: self = machine.leader == nil ? .campaigning : .following
        case .leading: self = .leading
        case .suspect: self = .suspect
        case .stopping: self = .stopping
        case .releasing: self = .releasing
        case .stopped: self = .stopped
        }
    }
}
