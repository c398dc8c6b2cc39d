import RESP

/// From the logs: what the cursors pass over, take up, or find missing.
extension Intake {
    /// Takes up what the logs hold, each log in turn, until enough may be handled. What has to wait is read past.
    ///
    /// - Parameter wanted: enough when this many are ready. A lane that waits for the lock meanwhile does not wait long.
    mutating func fill(_ wanted: Int) {
        let all = logs.all
        guard !all.isEmpty else { return }
        rotation = (rotation + 1) % all.count
        for offset in 0..<all.count {
            guard machine.freshCount < wanted else { return }
            read(all[(rotation + offset) % all.count], wanted)
        }
    }

    private mutating func read(_ log: NodeLog, _ wanted: Int) {
        guard repairing.isEmpty || repairing[log.runID] == nil else { return }
        guard machine.place(of: log.runID) != nil || open(log), let place = machine.place(of: log.runID) else { return }
        if !openedByPeers.isEmpty { takeWhatWasHeardBefore(log) }
        // Made when there is something to judge: lanes look often where there is nothing.
        var judge: Judge?
        while machine.freshCount < wanted {
            let limit = min(wanted - machine.freshCount, 4096)
            let through = machine.through(at: place)
            switch log.next(after: through, upTo: limit) {
            case .none: return surveyTail(of: log, through)
            case .entries(let chunk):
                var now = judge ?? Judge(filter: filter, ownership: ownership.seen(from: log.address))
                guard take(chunk, log, place, &now) else { return }
                judge = now
            case .hole(let ordinals): guard pass(ordinals, log) else { return }
            }
        }
    }

    /// Takes up a stretch. False when the rest must wait for what is known of the node's slots.
    private mutating func take(_ chunk: LogChunk, _ log: NodeLog, _ place: Int, _ judge: inout Judge) -> Bool {
        let source = WorkSource(Excerpt(chunk, of: log.process, since: termBegan), place: place)
        let seed = KeyLine.seed
        var list = WorkList(of: source, reserving: chunk.count)
        var index = 0
        var noted = 0
        let isAllTaken = chunk.visit(from: 0) { entry, key in
            switch judge.verdict(entry, key) {
            case .unknown:
                news.doubtful.insert(log.address)
                return false
            case .ignored:
                news.ignored[log.address, default: 0] += 1
                machine.take(noted..<index, of: source)
                machine.skip(log.runID, through: entry.ordinal, as: .ignored)
                noted = index + 1
            case .counts:
                machine.admit(
                    WorkItem(index, line: KeyLine(key, database: entry.database, seed: seed)), of: source, to: &list)
            }
            index += 1
            return true
        }
        machine.take(noted..<index, of: source)
        machine.add(list)
        machine.countSurplus()
        note(log, isUnproven: !isAllTaken)
        return isAllTaken
    }

    /// This replica's own feed may have brought, before its first mark, what lies before all that its peers had when the log was opened.
    private mutating func takeWhatWasHeardBefore(_ log: NodeLog) {
        guard let end = openedByPeers[log.runID], let baseline = log.baseline, !log.isProvisional else { return }
        openedByPeers[log.runID] = nil
        var judge = Judge(filter: filter, ownership: ownership.seen(from: log.address))
        var last = baseline
        while last < end {
            switch log.next(after: last, upTo: 1) {
            case .none: return
            case .hole(let ordinals): last = ordinals.upperBound
            case .entries(let chunk):
                last = chunk.first
                guard last <= end else { return }
                machine.include(log.runID, last)
                opened[log.runID]?.include(last)
                guard chunk.visit(from: 0, { judge.verdict($0, $1) != .ignored }) else {
                    news.ignored[log.address, default: 0] += 1
                    machine.drop(log.runID, last, as: .ignored)
                    continue
                }
                chunk.withKey(0) { key in
                    let source = machine.source(Excerpt(chunk, of: log.process, since: termBegan))
                    machine.admit(Work(source, WorkItem(0, line: KeyLine(key, database: chunk.database(0)))))
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
            machine.skip(log.runID, through: end, as: .lost)
            lost[log.runID]?.removeAll { $0.upperBound <= end }
            return true
        }
        let part = log.unannounced.first(of: hole)
        guard part.reason != .countedOnly else {
            // No replica heard it, since there was nothing to hear.
            machine.skip(log.runID, through: part.ordinals.upperBound, as: .unannounced)
            news.unannounced[log.address, default: 0] += part.ordinals.upperBound - part.ordinals.lowerBound + 1
            return true
        }
        ask(part.ordinals, log, isUnannounced: part.reason != nil)
        return false
    }

    private mutating func ask(_ hole: ClosedRange<UInt64>, _ log: NodeLog, isUnannounced: Bool = false) {
        repairing[log.runID] = hole
        news.holes.append(
            Repairer.Hole(
                runID: log.runID, node: "\(log.address)", ordinals: hole, token: token, isUnannounced: isUnannounced))
    }

    /// The log of a process of which no leader has written: it begins with what any replica heard first.
    private mutating func openFirst(_ log: NodeLog) -> Bool {
        guard let baseline = log.baseline else {
            // Its first mark will tell; without a feed, its peers.
            guard !log.isSubscribed else { return false }
            let survey = isGone(log) ? Repairer.Survey.before : .meanwhile
            if surveys.asks(log.runID, survey) { self.survey(1...Self.tail, log, survey) }
            guard repairing[log.runID] == nil, let first = log.firstOrdinal else { return false }
            open(log.runID, at: Cursor(through: first - 1))
            openedByPeers[log.runID] = first - 1
            return true
        }
        let told = surveyedThrough[log.runID] ?? 0
        if baseline > told, surveys.asks(log.runID, .before) {
            survey(told + 1...baseline, log, .before)
            return false
        }
        open(log.runID, at: Cursor(through: min(baseline, log.firstOrdinal.map { $0 - 1 } ?? baseline)))
        return true
    }

    /// While no feed fills a log, peers may hear what this replica does not: they are asked until one does, or the log is over.
    private mutating func surveyTail(of log: NodeLog, _ through: UInt64) {
        guard !log.isSubscribed else { return }
        let kind = isGone(log) ? Repairer.Survey.behind : .meanwhile
        if surveys.asks(log.runID, kind) { survey(through + 1...through + Self.tail, log, kind) }
    }

    /// A node that owns slots and is heard by no feed here may be heard by peers, under a run ID that is not known.
    mutating func askForProcesses() {
        guard repairing[Self.anyProcess] == nil else { return }
        let heard = Set(logs.all.filter(\.isSubscribed).map { ownership.home(of: $0.address) })
        guard let unheard = ownership.masters.first(where: { !heard.contains($0) }),
            surveys.asks(Self.anyProcess, .processes)
        else { return }
        repairing[Self.anyProcess] = 1...1
        news.holes.append(
            Repairer.Hole(
                runID: Self.anyProcess, node: "\(unheard)", ordinals: 1...1, token: token, survey: .processes))
    }

    /// No server has this run ID.
    private static let anyProcess = "any"

    private mutating func open(_ runID: String, at cursor: Cursor) {
        machine.open(runID, at: cursor)
        opened[runID] = cursor
    }

    /// Another process answers in its place.
    private func isGone(_ log: NodeLog) -> Bool {
        !log.isSubscribed && logs.all.contains { $0.address == log.address && $0.isSubscribed }
    }

    /// More than any process announces behind a peer's back.
    private static let tail = RepairRequest.openEnd

    private mutating func survey(_ ordinals: ClosedRange<UInt64>, _ log: NodeLog, _ survey: Repairer.Survey) {
        repairing[log.runID] = ordinals
        news.holes.append(
            Repairer.Hole(runID: log.runID, node: "\(log.address)", ordinals: ordinals, token: token, survey: survey))
    }

    /// Sets the cursor where the last leader left it, and takes up what it left pending. False while that must wait: for the
    /// first mark, or for a peer's word on what this replica did not hear.
    private mutating func open(_ log: NodeLog) -> Bool {
        guard let progress = progressAtBegin[log.runID] else { return openFirst(log) }
        guard log.baseline != nil || !log.isSubscribed, !log.isProvisional else { return false }
        let pending = progress.cursor.pending.sorted
        // One stretch at a time: what lies between two of them was finished, and must not be counted as lost.
        let gone = lost[log.runID] ?? []
        let missing = pending.filter { ordinal in
            log.entry(ordinal) == nil && !gone.contains { $0.contains(ordinal) }
        }
        if let first = missing.first {
            let length = missing.enumerated().first { $1 != first + UInt64($0) }?.offset ?? missing.count
            ask(first...missing[length - 1], log)
            return false
        }
        open(log.runID, at: progress.cursor)
        for ordinal in pending {
            // A number may stand for another key here, after a counter reset that a replica missed.
            guard case .entries(let chunk) = log.next(after: ordinal - 1, upTo: 1) else {
                machine.drop(log.runID, ordinal, as: .lost)
                continue
            }
            chunk.withKey(0) { key in
                if filter.wants(key, database: chunk.database(0)) {
                    let source = machine.source(Excerpt(chunk, of: log.process, since: .max))
                    machine.admit(Work(source, WorkItem(0, line: KeyLine(key, database: chunk.database(0)))))
                } else {
                    news.ignored[log.address, default: 0] += 1
                    machine.drop(log.runID, ordinal, as: .ignored)
                }
            }
        }
        lost[log.runID]?.removeAll { $0.upperBound <= progress.cursor.through }
        return true
    }
}

/// Whether the expirations of one node are to be handled.
private struct Judge {
    let filter: KeyFilter
    let ownership: Ownership.OfNode
    /// Where slots do not matter, entries of the same provenance share their verdict.
    private var last: (provenance: ExpirationLog.Provenance, verdict: Ownership.Verdict)?

    init(filter: KeyFilter, ownership: Ownership.OfNode) {
        self.filter = filter
        self.ownership = ownership
    }

    mutating func verdict(_ entry: ExpirationLog.Entry, _ key: RawSpan) -> Ownership.Verdict {
        guard filter.wants(key, database: entry.database) else { return .ignored }
        guard !ownership.needsSlot else { return ownership.verdict(slot: HashSlot.of(key), entry.provenance) }
        if let last, last.provenance == entry.provenance { return last.verdict }
        let verdict = ownership.verdict(slot: 0, entry.provenance)
        last = (entry.provenance, verdict)
        return verdict
    }
}
