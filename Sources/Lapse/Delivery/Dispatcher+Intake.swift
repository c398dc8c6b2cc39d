/// From the logs: what the cursors pass over, take up, or find missing.
extension Dispatcher {
    /// Takes up what the logs hold, each log in turn, within the limit of pending expirations.
    func fill(_ state: inout State) {
        let all = logs.all
        guard !all.isEmpty else { return }
        state.rotation = (state.rotation + 1) % all.count
        for offset in 0..<all.count {
            guard state.machine.pendingCount < pendingLimit else { return }
            read(all[(state.rotation + offset) % all.count], &state)
        }
    }

    private func read(_ log: NodeLog, _ state: inout State) {
        guard state.repairing[log.runID] == nil else { return }
        if state.machine.cursor(log.runID) == nil, !open(log, &state) { return }
        while let cursor = state.machine.cursor(log.runID), state.machine.pendingCount < pendingLimit {
            let limit = min(pendingLimit - state.machine.pendingCount, 4096)
            let ownership = state.ownership.seen(from: log.address)
            var taken = 0
            var isStuck = false
            let next = log.read(after: cursor.through) { entry in
                switch verdict(entry, ownership) {
                case .unknown:
                    state.news.doubtful.insert(log.address)
                    isStuck = true
                    return false
                case .ignored:
                    state.news.ignored[log.address, default: 0] += 1
                    state.machine.skip(log.runID, through: entry.ordinal, as: .ignored)
                case .counts:
                    state.machine.admit(work(entry, log, since: state.termBegan))
                }
                taken += 1
                return taken < limit
            }
            switch next {
            case .none: return
            case .entries: if isStuck || taken < limit { return }
            case .hole(let ordinals):
                guard pass(ordinals, log, &state) else { return }
            }
        }
    }

    /// Passes over what nobody has; asks for what nobody was asked for. True if passed.
    private func pass(_ hole: ClosedRange<UInt64>, _ log: NodeLog, _ state: inout State) -> Bool {
        if let lost = state.lost[log.runID]?.first(where: { $0.contains(hole.lowerBound) }) {
            let end = min(hole.upperBound, lost.upperBound)
            state.machine.skip(log.runID, through: end, as: .lost)
            state.lost[log.runID]?.removeAll { $0.upperBound <= end }
            return true
        }
        ask(hole, log, &state)
        return false
    }

    private func ask(_ hole: ClosedRange<UInt64>, _ log: NodeLog, _ state: inout State) {
        state.repairing[log.runID] = hole
        state.news.holes.append(Repairer.Hole(runID: log.runID, node: "\(log.address)", ordinals: hole))
    }

    /// Sets the cursor where the last leader left it, and takes up what it left pending. False while that must wait: for the
    /// first mark, or for a peer's word on what this replica did not hear.
    private func open(_ log: NodeLog, _ state: inout State) -> Bool {
        guard let baseline = log.baseline else { return false }
        guard let progress = state.progress[log.runID] else {
            state.machine.open(log.runID, at: Cursor(through: baseline))
            return true
        }
        let pending = progress.cursor.pending.sorted
        // One stretch at a time: what lies between two of them was finished, and must not be counted as lost.
        let lost = state.lost[log.runID] ?? []
        let missing = pending.filter { ordinal in
            log.entry(ordinal) == nil && !lost.contains { $0.contains(ordinal) }
        }
        if let first = missing.first {
            let length = missing.enumerated().first { $1 != first + UInt64($0) }?.offset ?? missing.count
            ask(first...missing[length - 1], log, &state)
            return false
        }
        state.machine.open(log.runID, at: progress.cursor)
        for ordinal in pending {
            if let entry = log.entry(ordinal) {
                state.machine.admit(work(entry, log, since: .max))
            } else {
                state.machine.drop(log.runID, ordinal, as: .lost)
            }
        }
        state.lost[log.runID]?.removeAll { $0.upperBound <= progress.cursor.through }
        return true
    }

    private func verdict(
        _ entry: ExpirationLog.Entry, _ ownership: Ownership.OfNode
    ) -> Ownership.Verdict {
        guard filter.wants(entry.key, database: entry.database) else { return .ignored }
        return ownership.verdict(slot: ownership.needsSlot ? entry.slot : 0, entry.provenance)
    }

    /// - Parameter since: when the term began, in milliseconds since 1970.
    private func work(_ entry: ExpirationLog.Entry, _ log: NodeLog, since began: UInt64) -> Work {
        let origin: Origin = entry.isRepaired ? .repair : entry.receivedAt < began ? .takeover : .live
        return Work(
            runID: log.runID, node: log.node, ordinal: entry.ordinal,
            key: ExpirationKey(bytes: Array(entry.key)), database: entry.database, receivedAt: entry.receivedAt,
            origin: origin)
    }
}
