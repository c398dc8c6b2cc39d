import RESP

/// From the logs: what the cursors pass over, take up, or find missing.
extension DeliveryMachine {
    /// Takes up what the logs hold, each log in turn, until enough may be handled. What has to wait is read
    /// past.
    ///
    /// - Parameter wanted: enough when this many are ready. A lane that waits for the lock meanwhile does
    ///   not wait long.
    mutating func fill(_ wanted: Int) {
        let all = logs.all
        guard !all.isEmpty else { return }
        rotation = (rotation + 1) % all.count
        for offset in 0..<all.count {
            guard freshCount < wanted else { return }
            read(all[(rotation + offset) % all.count], wanted)
        }
    }

    mutating func read(_ log: NodeLog, _ wanted: Int) {
        guard repairing.isEmpty || repairing[log.runID] == nil else { return }
        guard cursors.index(of: log.runID) != nil || open(log), let cursor = cursors.index(of: log.runID)
        else { return }
        if !openedByPeers.isEmpty { takeWhatWasHeardBefore(log) }
        // Made when there is something to judge: lanes look often where there is nothing.
        var judged: EntryVerdicts?
        while freshCount(cursor) < wanted, cursors.spread(cursor) < bounds.distance {
            let limit = min(wanted - freshCount(cursor), 4096)
            let through = cursors.through(cursor)
            switch log.next(after: through, upTo: limit) {
            case .none: return surveyTail(of: log, through)
            case .entries(let chunk):
                var verdicts = judged ?? EntryVerdicts(filter: filter, ownership: ownership.seen(from: log.address))
                guard takeUp(chunk, log, cursor, &verdicts) else { return }
                judged = verdicts
            case .hole(let ordinals): guard pass(ordinals, log) else { return }
            }
        }
    }

    private func freshCount(_ cursor: Int) -> Int {
        order == .ofNodes ? turns.freshCount(cursor) : freshCount
    }

    /// Takes up a stretch. False when the rest must wait for what is known of the node's slots.
    private mutating func takeUp(
        _ chunk: LogChunk, _ log: NodeLog, _ cursor: Int, _ verdicts: inout EntryVerdicts
    ) -> Bool {
        let slice = LogSlice(chunk, of: log.process, since: termBegan, cursorIndex: cursor)
        let seed = KeyHash.seed
        var list = DeliveryList(of: slice, reserving: chunk.count)
        var index = 0
        var noted = 0
        let isAllTaken = chunk.visit(from: 0) { entry, key in
            switch verdicts.verdict(entry, key) {
            case .unknown:
                actions.doubtful.insert(log.address)
                return false
            case .ignored:
                actions.ignored[log.address, default: 0] += 1
                take(noted..<index, of: slice)
                cursors.skip(log.runID, through: entry.ordinal, as: .ignored)
                noted = index + 1
            case .counts:
                let hash = KeyHash(key, database: entry.database, seed: seed)
                admit(DeliveryEntry(index, hash), of: slice, to: &list)
            }
            index += 1
            return true
        }
        take(noted..<index, of: slice)
        makeReady(list, slice)
        countGivenUp()
        note(log, isUnproven: !isAllTaken)
        return isAllTaken
    }

    /// This replica's own feed may have brought, before its first mark, what lies before all that its peers
    /// had when the log was opened.
    private mutating func takeWhatWasHeardBefore(_ log: NodeLog) {
        guard let end = openedByPeers[log.runID], let baseline = log.baseline, !log.isProvisional else { return }
        openedByPeers[log.runID] = nil
        var verdicts = EntryVerdicts(filter: filter, ownership: ownership.seen(from: log.address))
        var last = baseline
        while last < end {
            switch log.next(after: last, upTo: 1) {
            case .none: return
            case .hole(let ordinals): last = ordinals.upperBound
            case .entries(let chunk):
                last = chunk.first
                guard last <= end else { return }
                cursors.include(log.runID, last)
                opened[log.runID]?.include(last)
                guard chunk.visit(from: 0, { verdicts.verdict($0, $1) != .ignored }) else {
                    actions.ignored[log.address, default: 0] += 1
                    cursors.finish(log.runID, last, as: .ignored)
                    continue
                }
                chunk.withKey(0) { key in
                    let slice = LogSlice(
                        chunk, of: log.process, since: termBegan, cursorIndex: cursors.index(of: log.runID))
                    admit(Delivery(slice, DeliveryEntry(0, KeyHash(key, database: chunk.database(0)))))
                }
            }
        }
    }

    private mutating func note(_ log: NodeLog, isUnproven: Bool) {
        if isUnproven {
            if unproven.insert(log.runID).inserted { log.stands(atUnproven: true) }
        } else if !unproven.isEmpty, unproven.remove(log.runID) != nil {
            log.stands(atUnproven: false)
        }
    }

    /// Passes over what no replica has; asks for what no peer was asked for. True if passed.
    private mutating func pass(_ hole: ClosedRange<UInt64>, _ log: NodeLog) -> Bool {
        if let gone = lost[log.runID]?.first(where: { $0.contains(hole.lowerBound) }) {
            let end = min(hole.upperBound, gone.upperBound)
            cursors.skip(log.runID, through: end, as: .lost)
            lost[log.runID]?.removeAll { $0.upperBound <= end }
            return true
        }
        let part = log.unannounced.first(of: hole)
        guard part.reason != .countedOnly else {
            // No replica heard it, since there was nothing to hear.
            cursors.skip(log.runID, through: part.ordinals.upperBound, as: .unannounced)
            actions.unannounced[log.address, default: 0] += part.ordinals.upperBound - part.ordinals.lowerBound + 1
            return true
        }
        ask(part.ordinals, log, isUnannounced: part.reason != nil)
        return false
    }

    /// - Parameter pending: of the hole only these are missing; nil: all of it.
    mutating func ask(
        _ hole: ClosedRange<UInt64>, _ log: NodeLog, isUnannounced: Bool = false, pending: PendingOrdinals? = nil
    ) {
        repairing[log.runID] = hole
        // What lies behind the hole waits for the answer, which may take longer than the log's age. The log
        // may be younger than the cursor: one that held nothing is dropped with its feed, and comes back with
        // what peers tell.
        log.follow(true)
        note(log, isUnproven: false)
        actions.holes.append(
            Repairer.Hole(
                runID: log.runID, node: "\(log.address)", ordinals: hole, token: token, isUnannounced: isUnannounced,
                pending: pending))
    }
}
