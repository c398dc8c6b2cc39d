/// Where the cursors begin: where the last leader left them, or before the first expiration that any
/// replica heard.
extension DeliveryMachine {
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
        guard !log.isProvisional else { return false }
        let told = surveyedThrough[log.runID] ?? 0
        if baseline > told, surveys.asks(log.runID, .before) {
            survey(told + 1...baseline, log, .before)
            return false
        }
        open(log.runID, at: Cursor(through: min(baseline, log.firstOrdinal.map { $0 - 1 } ?? baseline)))
        return true
    }

    /// While no feed fills a log, peers may hear what this replica does not: they are asked until one does,
    /// or the log is over.
    mutating func surveyTail(of log: NodeLog, _ through: UInt64) {
        guard !log.isSubscribed else { return }
        let kind = isGone(log) ? Repairer.Survey.behind : .meanwhile
        if surveys.asks(log.runID, kind) { survey(through + 1...through + Self.tail, log, kind) }
    }

    /// A node that owns slots and is heard by no feed here may be heard by peers, under a run ID that is
    /// not known.
    mutating func askForProcesses() {
        guard repairing[Self.anyProcess] == nil else { return }
        let heard = Set(logs.all.filter(\.isSubscribed).map { ownership.home(of: $0.address) })
        guard let unheard = ownership.masters.first(where: { !heard.contains($0) }),
            surveys.asks(Self.anyProcess, .processes)
        else { return }
        repairing[Self.anyProcess] = 1...1
        actions.holes.append(
            Repairer.Hole(
                runID: Self.anyProcess, node: "\(unheard)", ordinals: 1...1, token: token, survey: .processes))
    }

    /// No server has this run ID.
    private static let anyProcess = "any"

    private mutating func open(_ runID: String, at cursor: Cursor) {
        cursors.open(runID, at: cursor)
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
        actions.holes.append(
            Repairer.Hole(runID: log.runID, node: "\(log.address)", ordinals: ordinals, token: token, survey: survey))
    }

    /// Sets the cursor where the last leader left it, and takes up what it left pending. False while that
    /// must wait: for the first mark, or for a peer's word on what this replica did not hear.
    mutating func open(_ log: NodeLog) -> Bool {
        guard let progress = progressAtBegin[log.runID] else { return openFirst(log) }
        guard log.baseline != nil || !log.isSubscribed, !log.isProvisional else { return false }
        let pending = progress.cursor.pending.sorted
        let gone = lostPending[log.runID] ?? []
        let missing = pending.filter { log.entry($0) == nil && !gone.contains($0) }
        if let first = missing.first {
            // All at once, as far as a question reaches whose end is known: each may take a second, and the log
            // waits. What lies between was finished.
            let asked = missing.prefix { $0 - first < RepairRequest.openEnd - 1 }
            ask(first...(asked.last ?? first), log, pending: PendingOrdinals(asked))
            return false
        }
        open(log.runID, at: progress.cursor)
        for ordinal in pending {
            // A number may stand for another key here, after a counter reset that a replica missed.
            guard case .entries(let chunk) = log.next(after: ordinal - 1, upTo: 1) else {
                cursors.finish(log.runID, ordinal, as: .lost)
                continue
            }
            chunk.withKey(0) { key in
                if filter.wants(key, database: chunk.database(0)) {
                    let slice = LogSlice(chunk, of: log.process, since: .max, cursorIndex: cursors.index(of: log.runID))
                    admit(Delivery(slice, DeliveryEntry(0, KeyHash(key, database: chunk.database(0)))))
                } else {
                    actions.ignored[log.address, default: 0] += 1
                    cursors.finish(log.runID, ordinal, as: .ignored)
                }
            }
        }
        lostPending[log.runID] = nil
        return true
    }
}
