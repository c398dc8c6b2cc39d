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
        if state.machine.cursors[log.runID] == nil, !open(log, &state) { return }
        while let cursor = state.machine.cursors[log.runID], state.machine.pendingCount < pendingLimit {
            let limit = min(pendingLimit - state.machine.pendingCount, 4096)
            var taken = 0
            var isStuck = false
            let next = log.read(after: cursor.through) { entry in
                switch verdict(entry, log, state.ownership) {
                case .unknown:
                    state.news.doubtful.insert(log.address)
                    isStuck = true
                    return false
                case .ignored:
                    state.news.ignored[log.address, default: 0] += 1
                    state.machine.skip(log.runID, through: entry.ordinal)
                case .counts:
                    let origin: Origin = entry.receivedAt < state.termBegan ? .takeover : .live
                    state.machine.admit(work(entry, log, origin))
                }
                taken += 1
                return taken < limit
            }
            switch next {
            case .none: return
            case .entries: if isStuck || taken < limit { return }
            case .hole(let ordinals):
                state.machine.skip(log.runID, through: ordinals.upperBound)
                state.news.gaps.append(
                    Gap(node: "\(log.address)", runID: log.runID, ordinals: ordinals, repaired: 0))
            }
        }
    }

    /// Sets the cursor where the last leader left it, and takes up what it left pending. False before the first mark.
    private func open(_ log: NodeLog, _ state: inout State) -> Bool {
        guard let baseline = log.baseline else { return false }
        guard let progress = state.progress[log.runID] else {
            state.machine.open(log.runID, at: Cursor(through: baseline))
            return true
        }
        state.machine.open(log.runID, at: progress.cursor)
        for ordinal in progress.cursor.pending.sorted() {
            if let entry = log.entry(ordinal) {
                let key = ExpirationKey(bytes: entry.key)
                state.machine.admit(
                    Work(
                        runID: log.runID, node: "\(log.address)", ordinal: ordinal, key: key, database: entry.database,
                        receivedAt: entry.receivedAt, origin: .takeover))
            } else {
                state.machine.drop(log.runID, ordinal)
                state.news.gaps.append(
                    Gap(node: "\(log.address)", runID: log.runID, ordinals: ordinal...ordinal, repaired: 0))
            }
        }
        return true
    }

    private func verdict(
        _ entry: ExpirationLog.Entry, _ log: NodeLog, _ ownership: Ownership
    ) -> Ownership.Verdict {
        guard filter.wants(entry.key, database: entry.database) else { return .ignored }
        let slot = ownership.needsSlot ? entry.slot : 0
        return ownership.verdict(slot: slot, at: log.address, entry.provenance)
    }

    private func work(_ entry: ExpirationLog.Entry, _ log: NodeLog, _ origin: Origin) -> Work {
        Work(
            runID: log.runID, node: "\(log.address)", ordinal: entry.ordinal,
            key: ExpirationKey(bytes: Array(entry.key)), database: entry.database, receivedAt: entry.receivedAt,
            origin: origin)
    }
}
