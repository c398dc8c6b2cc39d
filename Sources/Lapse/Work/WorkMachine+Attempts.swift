import DequeModule
import HeapModule
import RedisClient

extension WorkMachine {
    mutating func begun(_ entry: WorkEntry, _ count: Int?, _ actions: inout [Action]) {
        guard let index = entries.index(forKey: entry) else { return }
        let inHand = entries.values[index]
        guard inHand.phase == .beginning else { return }
        partitions[entry.partition]?.queued -= 1
        guard let attempt = count, !isDrainOver else {
            busy -= 1
            // Nowhere but here: the group has dropped it.
            if inHand.isGone { return bury(entry, attempts: inHand.attempts, Self.deleted, &actions) }
            // Another worker's; or too late, as if this worker had died.
            drop(entry)
            return
        }
        guard attempt - 1 - inHand.excused <= settings.retries.retries else {
            busy -= 1
            return bury(entry, attempts: attempt - 1, Self.neverEnded(attempt - 1), &actions)
        }
        entries.values[index].phase = .running(attempt: attempt)
        entries.values[index].attempts = attempt
        actions.append(.handle(entry, attempt: attempt))
    }

    private static let deleted = "it was deleted from the stream before it was handled"

    private static func neverEnded(_ attempts: Int) -> String {
        "\(attempts) attempts were begun and the last did not end: its worker died, or was killed"
    }

    mutating func beginsAgain(_ entry: WorkEntry) {
        guard entries[entry]?.phase == .beginning else { return }
        busy -= 1
        // At the end nothing is begun any more: it is given back.
        guard !isLeaving else {
            drop(entry)
            partitions[entry.partition]?.queued -= 1
            return
        }
        entries[entry]?.phase = .ready
        ready.prepend(entry)
    }

    mutating func finished(_ entry: WorkEntry, _ now: Duration) {
        guard let index = entries.index(forKey: entry), case .running = entries.values[index].phase else { return }
        busy -= 1
        pace.add(1, now: now)
        entries.values[index].phase = .done
        noteDone(entry, now)
    }

    mutating func done(_ entry: WorkEntry, _ now: Duration) {
        guard let index = entries.index(forKey: entry) else { return }
        entries.values[index].phase = .done
        noteDone(entry, now)
    }

    mutating func failed(
        _ entry: WorkEntry, _ failure: AttemptFailure, _ now: Duration, _ actions: inout [Action]
    ) {
        guard let inHand = entries[entry], case .running(let attempt) = inHand.phase else { return }
        busy -= 1
        if inHand.isGone { return bury(entry, attempts: attempt, "\(Self.deleted): \(failure.text)", &actions) }
        // Another worker's; or cut short by the end.
        if inHand.isLost || isDrainOver {
            drop(entry)
            return
        }
        guard let wait = wait(afterFailureOf: entry, attempt, failure) else {
            return bury(entry, attempts: attempt, failure.text, &actions)
        }
        // At the end it is for another worker to try again.
        guard !isLeaving else {
            drop(entry)
            return
        }
        entries[entry]?.phase = .waiting
        waits += 1
        waiting.insert(Due(at: now + wait, entry: entry))
    }

    /// Attempts were counted as they began, beside the stream. Those that were none are known to this
    /// worker only, and bounded, so that an entry that is always excused ends, too.
    private static let mostExcused = 64

    /// Until the next attempt; nil when there is none.
    private mutating func wait(
        afterFailureOf entry: WorkEntry, _ attempt: Int, _ failure: AttemptFailure
    ) -> Duration? {
        let excused = entries[entry]?.excused ?? 0
        let configured = settings.retries.wait(after: attempt - excused, random: failure.random)
        switch failure.advice {
        case .asConfigured: return configured
        case .notBefore(let least): return configured.map { max($0, least) }
        case .whenPossible(let least, _):
            guard excused < Self.mostExcused else { return configured }
            entries[entry]?.excused += 1
            return least
        case .pointless: return nil
        }
    }

    private mutating func bury(_ entry: WorkEntry, attempts: Int, _ error: String, _ actions: inout [Action]) {
        waits += 1
        entries[entry]?.phase = .burying(attempts: attempts, error: error)
        actions.append(.bury(entry, attempts: attempts, error: error))
    }

    /// The group says that they are not this worker's any more.
    mutating func lost(_ lost: [WorkEntry]) {
        var waited: Set<WorkEntry> = []
        for entry in lost {
            switch entries[entry]?.phase {
            case .ready:
                partitions[entry.partition]?.queued -= 1
                drop(entry)
            case .waiting:
                waits -= 1
                waited.insert(entry)
                drop(entry)
            case .running: entries[entry]?.isLost = true
            // Of these the next answer tells.
            case .beginning, .burying, .done, nil: break
            }
        }
        stopWaiting(waited)
    }

    /// Else their time for another attempt would be one for what becomes of them next.
    private mutating func stopWaiting(_ waited: Set<WorkEntry>) {
        if !waited.isEmpty { waiting = Heap(waiting.unordered.filter { !waited.contains($0.entry) }) }
    }

    /// The stream has them no more, and the group drops them as soon as a worker asks for them: what is in
    /// no handler becomes a letter while its content is at hand.
    mutating func gone(_ gone: [WorkEntry], _ actions: inout [Action]) {
        var waited: Set<WorkEntry> = []
        for entry in gone {
            guard let inHand = entries[entry] else { continue }
            switch inHand.phase {
            case .ready:
                partitions[entry.partition]?.queued -= 1
                bury(entry, attempts: inHand.attempts, Self.deleted, &actions)
            case .waiting:
                waits -= 1
                waited.insert(entry)
                bury(entry, attempts: inHand.attempts, Self.deleted, &actions)
            case .running, .beginning: entries[entry]?.isGone = true
            case .burying, .done: break
            }
        }
        stopWaiting(waited)
    }

    /// Handlers that do not end though they were cancelled keep their entries from other workers no longer.
    ///
    /// - Returns: how many they are.
    mutating func giveUpRunning() -> Int {
        var count = 0
        for (entry, inHand) in entries {
            guard case .running = inHand.phase else { continue }
            busy -= 1
            count += 1
            drop(entry)
        }
        return count
    }

    /// What has waited long enough.
    mutating func retryDue(_ now: Duration, _ actions: inout [Action]) {
        while let due = waiting.min, due.at <= now {
            waiting.removeMin()
            switch entries[due.entry]?.phase {
            case .waiting:
                waits -= 1
                entries[due.entry]?.phase = .ready
                // Another attempt is another number.
                entries[due.entry]?.turn = 0
                ready.append(due.entry)
                partitions[due.entry.partition]?.queued += 1
            case .burying(let attempts, let error):
                actions.append(.bury(due.entry, attempts: attempts, error: error))
            default: break
            }
        }
    }
}
