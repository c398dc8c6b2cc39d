import HeapModule

/// Which expirations may be handled now: the cursors, the order of each key, and the retries. A pure value.
package struct DispatchMachine {
    private struct Delayed: Comparable {
        var due: Duration
        var sequence: Int
        var work: Work

        static func == (left: Delayed, right: Delayed) -> Bool { left.sequence == right.sequence }
        static func < (left: Delayed, right: Delayed) -> Bool {
            (left.due, left.sequence) < (right.due, right.sequence)
        }
    }

    private var places: [Cursor] = []
    /// What became of what each of them passed.
    private var tallies: [Tally] = []
    /// Where in `places` the cursor of a log stands.
    private var index: [String: Int] = [:]
    private var lines = KeyLines()
    private var ready = WorkQueue()
    /// Their time to be tried again has come.
    private var due = WorkQueue()
    private var isTurnOfDue = false
    private var waiting: WaitingRoom
    /// Given up, since too many wait, and not yet counted: the cursor may not have passed them.
    private var givenUp: [Work] = []
    /// Given up and counted; taken by ``takeSurplus()``.
    private var surplus: [Work] = []
    private var delayed = Heap<Delayed>()
    private var sequence = 0
    /// Taken up and not finished.
    package private(set) var pendingCount = 0

    package init(_ bounds: WaitingRoom.Bounds = .init()) { waiting = WaitingRoom(bounds) }

    package var cursors: [String: Cursor] { index.mapValues { places[$0] } }

    package func cursor(_ runID: String) -> Cursor? { index[runID].map { places[$0] } }

    /// Where the cursor of a log stands, as long as the term lasts; nil before it was opened.
    func place(of runID: String) -> Int? { index[runID] }

    /// The last ordinal taken up.
    func through(at place: Int) -> UInt64 { places[place].through }

    /// What became of a log's expirations in this term; nil before it was opened.
    ///
    /// - Parameter last: the last ordinal announced.
    package func account(_ runID: String, last: UInt64) -> NodeAccount? {
        index[runID].map { tallies[$0].account(places[$0], last: last) }
    }

    package var readyCount: Int { ready.count + due.count }

    /// Of these the ones that are no retries.
    package var freshCount: Int { ready.count }

    /// Waiting behind their key, or until their time.
    package var waitingCount: Int { waiting.count }

    /// Begins a log, or goes on where its cursor stands.
    package mutating func open(_ runID: String, at cursor: Cursor) {
        guard index[runID] == nil else { return }
        index[runID] = places.count
        places.append(cursor)
        tallies.append(Tally(cursor))
    }

    /// One from before the place at which the log was opened is to be handled after all.
    package mutating func include(_ runID: String, _ ordinal: UInt64) {
        guard let place = index[runID], ordinal <= places[place].through else { return }
        places[place].include(ordinal)
        tallies[place].include(1)
    }

    /// Passes over ordinals that need no handling.
    package mutating func skip(_ runID: String, through ordinal: UInt64, as outcome: Tally.Outcome = .ignored) {
        guard let place = index[runID], places[place].through < ordinal else { return }
        tallies[place].count(outcome, ordinal - places[place].through)
        places[place].skip(through: ordinal)
    }

    /// A pending ordinal that will not be handled any more: it has been, or the log has lost it.
    package mutating func drop(_ runID: String, _ ordinal: UInt64, as outcome: Tally.Outcome = .lost) {
        guard let place = index[runID] else { return }
        drop(ordinal, at: place, as: outcome)
    }

    private mutating func drop(_ ordinal: UInt64, at place: Int, as outcome: Tally.Outcome) {
        places[place].finish(ordinal)
        tallies[place].count(outcome)
    }

    /// Takes up an expiration alone: to be handled, behind the others of its key.
    package mutating func admit(_ work: Work) {
        var source = work.source
        if work.hasPosition { source.place = index[work.runID] }
        var item = work.item
        item.source = 0
        var list = WorkList(of: source, reserving: 1)
        take(Int(item.index)..<Int(item.index) + 1, of: source)
        admit(item, of: source, to: &list)
        ready.append(list)
        countSurplus()
    }

    /// Where the expirations of a stretch are to be noted that are taken up now.
    func source(_ excerpt: Excerpt) -> WorkSource { WorkSource(excerpt, place: index[excerpt.process.runID]) }

    /// Takes up a part of a stretch; each of it is to be admitted.
    mutating func take(_ indices: Range<Int>, of source: WorkSource) {
        guard let place = source.place, !indices.isEmpty else { return }
        places[place].take(source.ordinals(indices))
    }

    /// An expiration of a stretch is to be handled with the others on the list, or behind the others of its key.
    mutating func admit(_ item: WorkItem, of source: WorkSource, to list: inout WorkList) {
        pendingCount += 1
        if lines.enter(item.line) { list.append(item) } else { wait(Work(source, item)) }
    }

    private mutating func wait(_ work: Work) {
        let room = waiting.roomOfLine
        guard let oldest = lines.wait(waiting.enter(work), room: room) else { return }
        waiting.leave(oldest)
        pendingCount -= 1
        givenUp.append(oldest)
    }

    /// Counts as lost what was given up since too many wait. To be called when the cursor has passed all that was admitted.
    mutating func countSurplus() {
        guard !givenUp.isEmpty else { return }
        for work in givenUp {
            if let place = work.source.place { drop(work.ordinal, at: place, as: .lost) }
        }
        surplus += givenUp
        givenUp = []
    }

    /// What was given up since the last call, since too many wait; it is lost, and counted.
    mutating func takeSurplus() -> [Work] {
        guard !surplus.isEmpty else { return [] }
        defer { surplus = [] }
        return surplus
    }

    /// What is on the list may be handled.
    mutating func add(_ list: WorkList) { ready.append(list) }

    /// Hands out up to `limit` expirations that may be handled now. Retries have every second turn: however many are due, they do
    /// not keep from the lanes what has not been tried yet.
    package mutating func take(_ limit: Int) -> WorkList {
        guard !due.isEmpty else { return ready.take(limit) }
        isTurnOfDue.toggle()
        return isTurnOfDue || ready.isEmpty ? due.take(limit) : ready.take(limit)
    }

    /// Takes back what was handed out and not begun.
    package mutating func giveBack(_ works: some Collection<Work>) { ready.prepend(works) }

    /// Handled, or given up for good: the next one of its key may go.
    package mutating func finish(_ work: Work, as outcome: Tally.Outcome = .handled) {
        if let place = work.source.place { drop(work.ordinal, at: place, as: outcome) }
        leave(work.line)
    }

    /// These of a list have been handled, bit by bit.
    mutating func finish(_ finished: UInt64, of works: WorkList) {
        var rest = finished
        while rest != 0 {
            let stretch = works.stretch(rest.trailingZeroBitCount) { rest & 1 << UInt64($0) != 0 }
            let source = works.source(stretch.lowerBound)
            if let place = source.place {
                let first = Int(works.item(stretch.lowerBound).index)
                places[place].finish(source.ordinals(first..<first + stretch.count))
                tallies[place].count(.handled, UInt64(stretch.count))
            }
            for index in stretch {
                leave(works.item(index).line)
                rest &= rest - 1
            }
        }
    }

    private mutating func leave(_ line: KeyLine) {
        pendingCount -= 1
        guard let next = lines.leave(line) else { return }
        waiting.leave(next)
        ready.append(next)
    }

    /// To be tried again at `due`; its key waits.
    ///
    /// - Returns: false if too many wait: nothing has changed.
    @discardableResult
    package mutating func retry(_ work: Work, at due: Duration) -> Bool {
        guard waiting.hasRoom else { return false }
        delay(work.again, to: due)
        return true
    }

    /// To be begun later, without a fault; its key waits. If too many wait it is lost.
    package mutating func postpone(_ work: Work, to due: Duration) {
        guard waiting.hasRoom else {
            givenUp.append(work)
            countSurplus()
            return leave(work.line)
        }
        delay(work, to: due)
    }

    private mutating func delay(_ work: Work, to due: Duration) {
        sequence += 1
        delayed.insert(Delayed(due: due, sequence: sequence, work: waiting.enter(work)))
    }

    /// Whether an expiration of this line is on its way.
    package func isUnderWay(_ line: KeyLine) -> Bool { lines.contains(line) }

    /// Whether one waits behind another of its key.
    package var isAnyKeyAwaited: Bool { lines.isAnyAwaited }

    /// Makes the retries ready whose time has come; returns when the next one comes.
    package mutating func wake(now: Duration) -> Duration? {
        while let first = delayed.min, first.due <= now {
            let work = delayed.removeMin().work
            waiting.leave(work)
            due.append(work)
        }
        return delayed.min?.due
    }
}
