import Lapse
import LeaderElection

/// What a whole situation is held against.
extension SimulatedWorld {
    /// Whether what a living replica heard must be handled though its number cannot be known: then its key
    /// tells.
    var judgesKeys: Bool {
        judges(.unheardReset) || judges(.halfHeardReset) || judges(.hostileMessages) || judges(.silentCounter)
            || judges(.refusedTelling) || judges(.silentTakeover)
    }

    /// I12: what a replica takes with it, another one has, or it is finished. One that dies without warning
    /// may take what no other could have had; a replica that has been there for a while has everything.
    func checkCustody(_ leaving: Replica, isGraceful: Bool) {
        guard judges(.rollingRestart) || conditions.laterLease != nil, network.badUntil <= now,
            // One that leaves just then does not know yet.
            now - ledger.lastDeath > .seconds(5)
        else { return }
        let others = replicas.filter { other in
            other !== leaving && other.isAlive && !other.feeds.isEmpty
                && (isGraceful || now - other.bornAt > .seconds(5))
        }
        guard !others.isEmpty else { return }
        for log in leaving.logs.all {
            guard let process = ledger.processes[log.runID], process.isExact else { continue }
            for (index, one) in process.announced.enumerated() {
                let ordinal = UInt64(index + 1)
                guard one.isWanted, !one.isRepeat, one.handled == 0, !one.isLost, log.entry(ordinal) != nil,
                    !others.contains(where: { has($0, ordinal, process, announcedAt: one.at) })
                else { continue }
                return ledger.violate(
                    .i12, "\(leaving.id) ends, and \(log.runID):\(ordinal) with it, which is not finished")
            }
        }
    }

    /// It has heard it, or is about to.
    private func has(_ replica: Replica, _ ordinal: UInt64, _ process: NodeProcess, announcedAt time: Duration) -> Bool
    {
        if replica.logs[process.runID]?.entry(ordinal) != nil { return true }
        return now - time < .seconds(1) && replica.feeds.contains { $0.connection?.process === process }
    }

    /// Whether one that is called lost could have been had.
    func checkLoss(_ ordinal: UInt64, _ process: NodeProcess, _ replica: Replica, _ body: Body) {
        let one = process.announced[Int(ordinal) - 1]
        guard let hearer = replicas.first(where: { $0.isAlive && one.hearers.contains($0.life) }),
            hearer.logs[process.runID]?.entry(ordinal) == nil
        else { return }
        if conditions.logAge >= .seconds(60) {
            guard judges(.lateWord) else { return }
            ledger.violate(.i9, "\(process.runID):\(ordinal) called lost, \(hearer.id) forgot it on a leader's word")
        } else if isPending(ordinal, process.runID) {
            ledger.violate(.i12, "\(process.runID):\(ordinal) is pending, and \(hearer.id) dropped it for its age")
        } else if schedule.situations == [.noSentinels] {
            ledger.violate(.i12, "\(process.runID):\(ordinal) called lost, \(hearer.id) heard it and waited for proof")
        } else if schedule.situations == [.deafLeader], body.began < one.at, network.badUntil <= now {
            ledger.violate(.i12, "\(process.runID):\(ordinal) called lost, \(hearer.id) could have told in time")
        }
    }

    /// A counter rose without events: a replica that listened all along knows that nothing was lost. Where
    /// in the row they were counted is not known; what came before has its numbers.
    func checkSilentCount(_ hole: Repairer.Hole, _ lost: [UInt64], _ process: NodeProcess, _ replica: Replica) {
        guard let index = process.announced.firstIndex(where: \.isCountedOnly) else { return }
        let (first, lost) = (process.announced[index], lost.filter { $0 > index })
        guard !lost.isEmpty, let witness = unbroken(process, since: first.at) else { return }
        if allowances.contains(.unheardCount), !isUnbroken(replica, process, since: first.at) {
            // What a leader says that dies before it is written, the next one says again.
            process.calledLost.formUnion(lost)
            guard process.calledLost.count > process.announced.count(where: \.isCountedOnly) else { return }
        }
        ledger.violate(
            .i9, "\(lost.count) of \(hole.runID):\(hole.ordinals) called lost, \(witness.id) heard all there was")
    }

    /// A replica whose subscription has stood, with numbers, from before this time until now.
    private func unbroken(_ process: NodeProcess, since time: Duration) -> Replica? {
        guard now - time > .seconds(3) else { return nil }
        return replicas.first { $0.isAlive && isUnbroken($0, process, since: time) }
    }

    private func isUnbroken(_ replica: Replica, _ process: NodeProcess, since time: Duration) -> Bool {
        replica.feeds.contains { feed in
            guard let connection = feed.connection, connection.process === process else { return false }
            return connection.numberedAt.map { $0 < time } ?? false && !connection.isDeaf
        }
    }

    /// Whether the progress that a majority holds calls it pending.
    private func isPending(_ ordinal: UInt64, _ runID: String) -> Bool {
        let said = registers.indices.count { register in
            registers[register].cursor(runID).map { $0.pending.sorted.contains(ordinal) } ?? false
        }
        return said > registers.count / 2
    }

    /// A replica ends that may have been the only one to hear of a reset, or of forged messages.
    func endsUntold(_ leaving: Replica) {
        guard judges(.halfHeardReset), allowances.contains(.untoldReset) else { return }
        for process in ledger.processes.values where now - process.disturbedAt < .seconds(5) {
            if leaving.logs[process.runID] != nil { process.isUndecidable = true }
        }
    }

    /// A key that comes all the time must not hold up the others; and no Sentinel is waited for where the
    /// servers agree, which a frozen one does within four seconds.
    func checkPromptness(_ delivery: Delivery, _ replica: Replica, _ body: Body) {
        let limit: Duration = judges(.noSentinels) ? .seconds(8) : .seconds(2)
        guard schedule.situations == [.hotKey] || schedule.situations == [.noSentinels],
            !delivery.key.bytes.starts(with: Self.stormPrefix), delivery.attempt == 1,
            let process = ledger.processes[delivery.runID], process.isExact, delivery.ordinal <= process.announced.count
        else { return }
        let one = process.announced[Int(delivery.ordinal) - 1]
        guard body.began < one.at, !hasTrouble(replica), now - one.at > limit else { return }
        ledger.violate(.late, "\(delivery.key) waited \(now - one.at) for its handler")
    }

    /// What is handled by a second term had been finished shortly before the first one ended.
    func checkTwice(_ delivery: Delivery, _ first: Announcement, _ body: Body) {
        guard judges(.fullStore), first.handledBy != body.order, let ended = ledger.termEnds[first.handledBy],
            ended - first.handledAt > .milliseconds(1_500)
        else { return }
        if allowances.contains(.untoldNewcomer), isUntold(body, of: first.handledBy, ended) { return }
        ledger.violate(
            .twice,
            "\(delivery.key) was handled \(ended - first.handledAt) before its term ended, and is handled again")
    }

    /// Whether a leader may not know what the leader of a term before told, whose end it has not seen.
    private func isUntold(_ body: Body, of term: Int, _ ended: Duration) -> Bool {
        guard let replica = replicas.first(where: { $0.body === body }),
            body.began - network.takesWritesSince < .seconds(1)
        else { return false }
        if replica.bornAt > ended, ledger.termsGivenBack.contains(term) { return true }
        return body.began - replica.bornAt < .seconds(1) || body.order > term + 1
    }

    /// Only a feed without a byte is given up.
    func checkIdle(_ connection: Connection) {
        guard connection.isOpen, !connection.isDeaf, connection.underWay > 0, now - connection.lastByteAt < .seconds(3)
        else { return }
        ledger.violate(
            .i8, "\(connection.replica.id) closes a feed that delivers: \(connection.underWay) messages are lost")
    }
}
