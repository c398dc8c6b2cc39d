package import LeaderElection
package import LeaderElectionRedis
import RESP
import RedisClient
import Synchronization

/// Keeps the leader's progress beside the lock: the leader writes it to all registers, others read it.
package final class ProgressKeeper: Sendable {
    /// One register's keys and how to reach them.
    package struct Place: Sendable {
        package var keys: ElectionKeys
        package var runner: any ScriptRunner

        package init(keys: ElectionKeys, runner: any ScriptRunner) {
            self.keys = keys
            self.runner = runner
        }
    }

    package enum Outcome: Sendable, Equatable {
        case written
        /// A later term has written: this one is over.
        case fenced
        /// Fewer than a majority answered.
        case failed
    }

    struct State {
        var known: [String: Progress] = [:]
        var bases: [String: UInt64] = [:]
        var ownBases = OwnBases()
        /// Of what is known, what a majority of the registers lacked when they were last read.
        var lacked: Set<String> = []
        var members: Set<String> = []
        var leaving: Set<String> = []
        var wholeness: Wholeness?
        var epoch: UInt64 = 0
        var troubles = ProgressTroubles()
        var complained: Set<String> = []
        var complaints: [String] = []
        var wishes: [Wish.Kind: StandingWish] = [:]
        /// Of this store, on any register that was read.
        var latestToken: UInt64 = 0
        var accounts: [String: PublishedAccount] = [:]
        var replicas: [String: ReplicaWord] = [:]
        var term: (term: UInt64, since: UInt64?) = (0, nil)
    }

    let places: [Place]
    let id: String
    /// How the election's store names its keys.
    package let store: String
    /// The fields that hold the largest token seen, and the number of its last write. Tokens of different
    /// stores are not comparable, each has its own.
    let tokenField: String
    let writeField: String
    let timeout: Duration
    private static let attemptsToNote = 4
    let state = Mutex(State())

    /// - Parameters:
    ///   - store: how the election's store names its keys; nil for Redis itself.
    ///   - timeout: for one write or read on one register.
    package init(
        places: [Place], id: String, guardedBy store: String? = nil, timeout: Duration = .milliseconds(500)
    ) {
        tokenField = store.map { "token@\($0)" } ?? "token"
        writeField = store.map { "write@\($0)" } ?? "write"
        self.store = store ?? "redis"
        self.places = places
        self.id = id
        self.timeout = timeout
    }

    /// What was last read, or heard from the leader, by run ID.
    package var latest: [String: Progress] { state.withLock { $0.known } }

    /// The replicas that were alive within the last seconds, this one included.
    package var peers: Set<String> { state.withLock { $0.members } }

    /// Those of them that have said that they leave.
    package var leaving: Set<String> { state.withLock { $0.leaving } }

    /// How often tokens began anew, as far as is known: see ``ProgressOrigin``.
    var epoch: UInt64 { state.withLock { $0.epoch } }

    /// What stands in the way of reading and writing now.
    package var troubles: ProgressTroubles { state.withLock { $0.troubles } }

    /// What any replica knows to be missing from a process' counter: see ``Numbering``.
    package func base(of runID: String) -> Int64 {
        state.withLock { state in
            max(state.known[runID]?.base ?? 0, Int64(clamping: state.bases[runID] ?? 0))
        }
    }

    /// How far the leader has been with a process: it has announced at least this many.
    package func through(of runID: String) -> UInt64 { state.withLock { $0.known[runID]?.cursor.through ?? 0 } }

    /// The bases that replicas have told, by run ID.
    package var bases: [String: UInt64] { state.withLock { $0.bases } }

    /// Fields that this build cannot read; each is told once.
    package func takeComplaints() -> [String] {
        state.withLock { state in
            defer { state.complaints = [] }
            return state.complaints
        }
    }

    // MARK: - Writing

    /// Writes the cursors; a register that has seen a larger token refuses.
    package func write(_ progress: [Progress], token: FencingToken) async -> Outcome {
        let (epoch, known) = state.withLock { ($0.epoch, $0.known) }
        let progress = progress.map { entry in
            var entry = entry
            entry.epoch = epoch
            return entry
        }
        let number = progress.map(\.write).max() ?? 0
        let arguments =
            bytes([tokenField, "\(token)", writeField, "\(number)", "\(epoch)"]) + Self.fields(progress)
        let all = Array(known.merging(progress.map { ($0.runID, $0) }) { $1 }.values)
        let replies = await onAll { [timeout, self] place throws(RedisError) in
            let keys = [place.keys.progress]
            let reply = try await place.runner.run(
                ProgressScripts.write, keys: keys, arguments: arguments, timeout: timeout)
            guard reply.int == 2 else { return reply }
            // It was away when the epoch began.
            return try await place.runner.run(
                ProgressScripts.adopt, keys: keys, arguments: adoption(all, epoch, token, number), timeout: timeout)
        }
        let outcome = conclude(replies)
        if outcome == .written { learn(progress) }
        return outcome
    }

    /// Begins an epoch: everything that was read counts as this term's word, before its first own one.
    package func adopt(_ reading: ProgressReading, token: FencingToken) async -> Outcome {
        let epoch = (reading.origin?.epoch ?? 0) + 1
        let entries = reading.entries.values.map { entry in
            var entry = entry
            (entry.epoch, entry.token, entry.write) = (epoch, token.rawValue, 0)
            return entry
        }
        state.withLock { state in
            state.epoch = epoch
            state.latestToken = token.rawValue
            state.wholeness = nil
            state.known = Dictionary(entries.map { ($0.runID, $0) }) { first, _ in first }
        }
        let arguments = adoption(entries, epoch, token, 0)
        return conclude(
            await onAll { [timeout] place throws(RedisError) in
                try await place.runner.run(
                    ProgressScripts.adopt, keys: [place.keys.progress], arguments: arguments, timeout: timeout)
            })
    }

    private func adoption(_ all: [Progress], _ epoch: UInt64, _ token: FencingToken, _ number: UInt64) -> [[UInt8]] {
        let origin = ProgressOrigin(epoch: epoch, store: store)
        return bytes(
            ["\(epoch)", ProgressOrigin.field, origin.text, tokenField, "\(token)", writeField, "\(number)"])
            + Self.fields(all)
    }

    static func fields(_ progress: [Progress]) -> [[UInt8]] {
        var fields: [[UInt8]] = []
        for entry in progress {
            fields += [Array(entry.field.utf8), Array(entry.text.utf8)]
            if let account = PublishedAccount(entry) {
                fields += [Array(PublishedAccount.field(entry.runID).utf8), Array(account.text.utf8)]
            }
        }
        return fields
    }

    private func conclude(_ replies: [Reply]) -> Outcome {
        let outcome = ProgressVote.outcome(replies.map { reply in reply.value?.int.map { $0 == 1 } })
        state.withLock { $0.troubles.writing = outcome == .failed ? Self.trouble(replies) : nil }
        return outcome
    }

    /// The leader's word, as it was written, or heard from itself while Redis refuses to write.
    package func learn(_ progress: [Progress]) {
        state.withLock { state in
            for var entry in progress {
                entry.epoch = max(entry.epoch, state.epoch)
                guard state.known[entry.runID].map({ !$0.isNewer(than: entry) }) ?? true else { continue }
                state.known[entry.runID] = entry
            }
        }
    }

    /// What the leader of the largest token said last about its logs; nil when no leader has said it.
    package var latestWholeness: Wholeness? { state.withLock { $0.wholeness } }

    /// Says whether this leader's logs are whole. A register that has seen a larger token passes over it.
    ///
    /// - Returns: whether a majority has taken it.
    package func write(_ wholeness: Wholeness) async -> Bool {
        Self.isTaken(await say([Wholeness.field, wholeness.text], token: wholeness.token))
    }

    /// Notes what this leader has begun, and over what others died.
    ///
    /// Where too few registers have answered in time it is said again: what is begun unnoted, and kills,
    /// costs a leader for nothing. While they refuse it nothing is noted.
    package func write(_ suspects: Suspects) async {
        for _ in 0..<Self.attemptsToNote {
            let replies = await say([Suspects.field, suspects.text], token: suspects.token)
            let answered = replies.count { reply in
                switch reply.error?.kind {
                case .timeout, .closed: false
                default: true
                }
            }
            if answered > places.count / 2 || Task.isCancelled { return }
        }
    }

    /// This term has dealt with all that it found, or ends as it should.
    ///
    /// - Parameter suspects: those that it leaves behind.
    package func close(_ suspects: Suspects) async {
        await say([UnclosedTerms.field, "0", Suspects.field, suspects.text], token: suspects.token)
    }

    /// A register that has seen a larger token passes over it.
    @discardableResult
    func say(_ fields: [String], token: UInt64) async -> [Reply] {
        let arguments = bytes([tokenField, "\(token)"] + fields)
        return await onAll { [timeout] place throws(RedisError) in
            try await place.runner.run(
                ProgressScripts.say, keys: [place.keys.progress], arguments: arguments, timeout: timeout)
        }
    }

    // MARK: - Reading

    /// Reads the newest progress of every log, and tells the registers in passing that this replica is
    /// alive. Reading needs no right to write.
    ///
    /// - Parameter token: of a term that begins: what the term before it sent and is still on its way is
    ///   refused from now on.
    /// - Returns: nil when fewer than a majority answered; ``troubles`` says why.
    package func read(fencing token: FencingToken? = nil) async -> ProgressReading? {
        let begin = token.map {
            [tokenField, "\($0)", writeField, ProgressOrigin(epoch: 0, store: store).text]
        }
        let arguments = bytes([id] + (begin ?? []))
        let replies = await onAll { [timeout] place throws(RedisError) in
            try await place.runner.run(
                ProgressScripts.read, keys: [place.keys.progress, place.keys.members], arguments: arguments,
                timeout: timeout)
        }
        var words: [RegisterWord] = []
        var refusal: ProgressTrouble?
        for reply in replies {
            guard let word = reply.value.flatMap({ RegisterWord($0, tokenField: tokenField) }) else { continue }
            words.append(word)
            guard let text = word.refusal else { continue }
            refusal = refusal ?? ProgressTrouble(register: reply.register, text: text, isRefusal: true)
        }
        let reading = ProgressReading(words, of: places.count)
        state.withLock { state in
            state.troubles.reading = reading == nil ? Self.trouble(replies) : nil
            state.troubles.read(replies)
            if let epoch = reading?.origin?.epoch { state.enter(epoch) }
            state.take(words, of: places.count, refusal)
            // A minority's word still serves to trim: it was written by some leader.
            if !words.isEmpty { state.known = Progress.newest([state.known] + words.map(\.entries)) }
            if let reading { state.lacked = Set(state.known.keys.filter(reading.lacks)) }
        }
        // A term that begins does not wait for it.
        if reading != nil, token == nil { await tellAgain() }
        return reading
    }
}
