package import RESP
package import RedisClient
import Synchronization

/// The log of one node process, shared between the feed that fills it and the dispatcher that empties it.
package final class NodeLog: Sendable {
    /// What the feed counted.
    package struct Counts: Sendable {
        /// Messages on the event channels.
        package var received: UInt64 = 0
        /// Messages that Redis did not count: forged.
        package var surplus: UInt64 = 0
        package var entries = 0
        package var bytes = 0
        /// Announced and known to be the last.
        package var last: UInt64?
        /// Counted by the node in connections that stood, since anything was last heard.
        package var unheard: UInt64 = 0
    }

    struct State: ~Copyable {
        var log: ExpirationLog
        var numbering = Numbering()
        var provenanceIsDoubted = false
        /// Counts the silences.
        var silences = 0
        /// The node was found deposed: what it announces later was announced after the looks before this one.
        var since = 0
        var received: UInt64 = 0
        var surplus: UInt64 = 0
        var unheard: UInt64 = 0
        /// The ordinal before the first one heard.
        var baseline: UInt64?
        var subscribed = false
        var unannounced = UnannouncedOrdinals()
        /// Finished through here, says the leader.
        var settled: UInt64 = 0
        /// A leader's progress speaks of it: what that does not call finished is kept, whatever its age.
        var isFollowed = false
        /// The leader stands before an entry that nothing proves to count or not: such a one waits no longer than the log's age.
        var isUnproven = false
        /// When the last subscription ended, in milliseconds since 1970.
        var endedAt: UInt64?
        /// What of the log the budget knows.
        var charged = 0
    }

    /// Where the process was last met, with what is made of it once.
    private struct Whereabouts {
        let address: NodeAddress
        let node: String
        let process: NodeProcess

        init(_ runID: String, _ address: NodeAddress) {
            self.address = address
            node = "\(address)"
            process = NodeProcess(runID: runID, node: node)
        }
    }

    package let runID: String
    private let whereabouts: Mutex<Whereabouts>
    let state: Mutex<State>
    private let limitBytes: Int
    private let limitAge: Duration
    private let budget: LogBudget?
    /// Whether another process was listened to at this address before.
    private let isSuccessor: Bool

    /// - Parameter isSuccessor: the process took the place of one that was listened to: everything that it announced is owed,
    ///   whether anybody heard it or not.
    package init(
        runID: String, address: NodeAddress, limitBytes: Int, limitAge: Duration, isSuccessor: Bool = false,
        budget: LogBudget? = nil, chunkBytes: Int? = nil
    ) {
        self.runID = runID
        whereabouts = Mutex(Whereabouts(runID, address))
        self.limitBytes = limitBytes
        self.limitAge = limitAge
        self.budget = budget
        self.isSuccessor = isSuccessor
        let chunk = chunkBytes ?? min(32 << 10, max(1 << 10, limitBytes / 16))
        state = Mutex(State(log: ExpirationLog(chunkBytes: chunk)))
    }

    package var address: NodeAddress { whereabouts.withLock { $0.address } }
    /// The address as text.
    package var node: String { whereabouts.withLock { $0.node } }
    var process: NodeProcess { whereabouts.withLock { $0.process } }

    /// The process has been met at another address.
    func move(to address: NodeAddress) { whereabouts.withLock { $0 = Whereabouts(runID, address) } }

    deinit { state.withLock { budget?.add(-$0.charged) } }

    /// Tells the budget what the log has come to.
    private func charge(_ state: inout State) {
        let footprint = state.log.footprint
        guard let budget, footprint != state.charged else { return }
        budget.add(footprint - state.charged)
        state.charged = footprint
    }

    /// What the log takes in memory.
    package var footprint: Int { state.withLock { $0.log.footprint } }

    /// Drops the oldest until the log takes no more than this.
    package func trim(toFootprint limit: Int) {
        state.withLock { state in
            state.log.trim(toFootprint: limit)
            charge(&state)
        }
    }

    package var counts: Counts {
        state.withLock { state in
            Counts(
                received: state.received, surplus: state.surplus, entries: state.log.count, bytes: state.log.bytes,
                last: state.numbering.last, unheard: state.unheard)
        }
    }

    /// Whether a feed is filling it now.
    package var isSubscribed: Bool { state.withLock { $0.subscribed } }

    /// When the last feed ended, in milliseconds since 1970; nil while one fills it, or before there was one.
    var endedAt: UInt64? { state.withLock { $0.endedAt } }

    /// Begins a subscription, unless another one fills the log already.
    package func claim() -> Bool {
        state.withLock { state in
            guard !state.subscribed else { return false }
            state.subscribed = true
            state.endedAt = nil
            state.numbering.begin()
            return true
        }
    }

    /// Whether nothing is left of it that the leader has not finished, and it was not filled for `age` milliseconds.
    package func isOver(now: UInt64, after age: UInt64) -> Bool {
        state.withLock { state in
            guard let endedAt = state.endedAt, !state.subscribed else { return false }
            // What its bounds have dropped and no leader has passed is still to be counted as lost.
            guard state.log.count == 0, state.numbering.last ?? 0 <= max(state.settled, state.baseline ?? 0) else {
                return false
            }
            return now > endedAt + age
        }
    }

    /// What the leader adds to the node's counter (see ``Numbering``).
    package var base: Int64 { state.withLock { $0.numbering.base } }

    /// Where a leader without anybody's progress begins: before the first expiration heard, or with a node that has
    /// restarted before its first one. Nil before the first mark.
    package var baseline: UInt64? { state.withLock { $0.baseline } }

    /// What the node counted and did not announce.
    package var unannounced: UnannouncedOrdinals { state.withLock { $0.unannounced } }

    /// The first ordinal kept.
    package var firstOrdinal: UInt64? { state.withLock { $0.log.firstOrdinal } }

    // MARK: - The feed's side

    package func subscriptionBegan() {
        state.withLock { state in
            state.subscribed = true
            state.endedAt = nil
            state.numbering.begin()
        }
    }

    package func subscriptionEnded(now: UInt64) {
        state.withLock { state in
            state.subscribed = false
            state.endedAt = now
            // They come again as part of the gap that the next mark shows.
            _ = state.log.dropUnnumbered()
            charge(&state)
            if state.numbering.isNumbered { state.numbering.begin() }
        }
    }

    package func adopt(base: Int64) { state.withLock { $0.numbering.adopt(base: base) } }

    /// The leader's word on how far it is (see ``Numbering/floor``).
    package func learn(through ordinal: UInt64) { state.withLock { $0.numbering.learn(through: ordinal) } }

    package var floor: UInt64 { state.withLock { $0.numbering.floor } }

    /// Whether the next mark may number everything anew.
    package var isProvisional: Bool { state.withLock { $0.subscribed && $0.numbering.isProvisional } }

    /// Takes in one read's expirations. Other messages go to `other`, in order, while the log is locked.
    ///
    /// A key that was too large to be held has its number, and is missing in the log: so it counts as lost.
    ///
    /// - Parameters:
    ///   - since: looks begun when the last ping that was answered was sent; like `look` if nil.
    ///   - look: looks begun.
    ///   - large: told of a key that was too large, with its beginning.
    /// - Returns: how many expirations there were.
    package func receive(
        _ batch: borrowing ReplyBatch, now: UInt64, since: Int? = nil, look: Int,
        other: (_ channel: RawSpan, _ payload: RawSpan, inout Numbering) -> Void,
        ownKey: (RawSpan) -> Void, large: (_ bytes: Int, _ begin: RawSpan) -> Void = { _, _ in }
    ) -> Int {
        defer { budget?.check() }
        return state.withLock { state in
            var count = 0
            let provenance: ExpirationLog.Provenance =
                state.provenanceIsDoubted
                ? .doubted(look: look) : .trusted(since: max(since ?? look, state.since), look: look)
            batch.forEachPush { run in
                guard let database = run.withChannel({ EventChannel.database(of: $0) }) else {
                    return run.withChannel { channel in
                        run.forEachPayload { other(channel, $0, &state.numbering) }
                    }
                }
                let isNumbered = state.numbering.isNumbered
                let number = state.numbering.next(run.count)
                state.log.append(
                    run, database: database, number: number, isNumbered: isNumbered, now: now, provenance: provenance)
                count += run.count
                run.forEachPayload(beginningWith: EventChannel.ownKeyPrefix, ownKey)
            } other: { kind, channel, begin in
                guard case .largeMessage(let bytes) = kind, EventChannel.database(of: channel) != nil else { return }
                _ = state.numbering.next()
                count += 1
                large(bytes, begin)
            }
            state.received += UInt64(count)
            if count > 0 { state.unheard = 0 }
            // By bytes alone: a wall clock that was just set must not pass for age.
            if state.log.bytes > limitBytes { _ = state.log.trim(toBytes: limitBytes, oldest: 0) }
            charge(&state)
            return count
        }
    }

    /// The node's counter, read without a mark.
    ///
    /// - Parameter floor: ``floor`` before the node was asked.
    package func saw(counter: UInt64, floor: UInt64 = 0) {
        state.withLock { $0.numbering.saw(counter: counter, floor: floor) }
    }

    /// The counter of the pinned mark is known.
    ///
    /// - Parameters:
    ///   - floor: ``floor`` before the mark was made.
    ///   - flagsWereFine: whether the node was set to announce expirations all the while.
    package func resolve(
        counter: UInt64, floor: UInt64 = 0, flagsWereFine: Bool = false
    ) -> Numbering.Finding? {
        state.withLock { state in
            let finding = state.numbering.resolve(counter: counter, floor: floor)
            switch finding {
            case .numbered(let offset, _):
                state.log.number(from: offset)
                if state.baseline == nil { state.baseline = isSuccessor ? 0 : offset }
            case .renumbered(let start, let shift):
                state.log.renumber(after: start, by: shift)
                state.unannounced.renumber(after: start, by: shift)
                if state.baseline == start { state.baseline = start + shift }
            case .surplus(let count): state.surplus += count
            // A connection that stands loses nothing.
            case .missed(let ordinals):
                state.unannounced.add(ordinals, flagsWereFine ? .countedOnly : .silenced)
                state.unheard += UInt64(ordinals.count)
            case .confirmed, .reset, nil: break
            }
            return finding
        }
    }

    /// Drops what is older than the log's age, of a log of which no leader has written, or whose leader waits for a proof that may
    /// never come. What a leader's progress calls pending or waiting is kept: its next leader would call it lost.
    package func trimAged(now: UInt64) {
        let age = UInt64(limitAge.components.seconds) * 1000
        state.withLock { state in
            let ages = !state.isFollowed || state.isUnproven
            _ = state.log.trim(toBytes: limitBytes, oldest: ages && now > age ? now - age : 0)
            charge(&state)
        }
    }

    // MARK: - The dispatcher's side

    /// What lies after an ordinal.
    enum Next {
        /// Nothing new.
        case none
        /// These ordinals were announced, but are not in this log.
        case hole(ClosedRange<UInt64>)
        case entries(LogChunk)
    }

    /// What lies after an ordinal: a copy of at most this many entries, or the hole before them.
    func next(after ordinal: UInt64, upTo limit: Int) -> Next {
        state.withLock { state in
            guard let next = state.log.next(after: ordinal) else {
                guard let last = state.numbering.last, last > ordinal else { return .none }
                return .hole(ordinal + 1...last)
            }
            guard next == ordinal + 1 else { return .hole(ordinal + 1...next - 1) }
            return .entries(state.log.copy(from: next, upTo: limit, bytes: LogSlice.limitBytes))
        }
    }

    /// The entry with this ordinal.
    package func entry(_ ordinal: UInt64) -> ExpirationLog.Entry? { state.withLock { $0.log.entry(ordinal) } }

    /// What of these ordinals is not in this log.
    package func missing(in ordinals: ClosedRange<UInt64>) -> [ClosedRange<UInt64>] {
        state.withLock { state in
            var missing: [ClosedRange<UInt64>] = []
            var expected = ordinals.lowerBound
            state.log.forEach(after: ordinals.lowerBound - 1) { entry, _ in
                guard entry.ordinal <= ordinals.upperBound else { return false }
                if entry.ordinal > expected { missing.append(expected...entry.ordinal - 1) }
                expected = max(expected, entry.ordinal + 1)
                return true
            }
            if expected <= ordinals.upperBound { missing.append(expected...ordinals.upperBound) }
            return missing
        }
    }

    /// The stretches of these ordinals of which nothing is kept: in order, at most this many.
    package func gaps(in ordinals: ClosedRange<UInt64>, upTo limit: Int) -> [ClosedRange<UInt64>] {
        state.withLock { $0.log.gaps(in: ordinals, upTo: limit) }
    }

    /// Whether it keeps anything that the progress does not call finished.
    package func holdsAny(unfinishedBy progress: Progress?) -> Bool {
        state.withLock { state in
            guard let progress else { return state.log.count > 0 }
            return state.log.next(after: progress.cursor.settled) != nil || state.numbering.awaitsNumbers
        }
    }

    /// Whether anything is kept behind an ordinal.
    func hasAny(after ordinal: UInt64) -> Bool { state.withLock { $0.log.next(after: ordinal) != nil } }

    /// What this replica can tell of these ordinals, up to about this many bytes. While its numbers may change it tells nothing.
    package func heard(
        in ordinals: ClosedRange<UInt64>, bytes limit: Int, _ ownership: SlotOwnership.OfNode
    ) -> RepairReply.Piece {
        state.withLock { state in
            // Numbers that the next mark may change say nothing.
            guard !(state.subscribed && state.numbering.isProvisional) else { return RepairReply.Piece(isClear: false) }
            var piece = RepairReply.Piece(isClear: !(state.subscribed && state.numbering.awaitsNumbers))
            var bytes = 0
            state.log.forEach(after: ordinals.lowerBound - 1) { entry, key in
                guard entry.ordinal <= ordinals.upperBound, bytes < limit else { return false }
                guard key.byteCount <= RepairReply.largestKey else {
                    piece.through = entry.ordinal
                    return true
                }
                var one = HeardExpiration(entry, key)
                switch ownership.verdict(slot: HashSlot.of(key), entry.provenance) {
                case .counts: one.standing = .owned
                case .ignored: one.standing = .disowned
                case .unknown where entry.provenance.isDoubted:
                    piece.isClear = false
                    return false
                case .unknown: break
                }
                piece.expirations.append(one)
                piece.through = entry.ordinal
                bytes += key.byteCount + 24
                return true
            }
            if state.subscribed, let last = state.numbering.last, state.numbering.isNumbered {
                piece.isUnderWay = last < ordinals.upperBound
            }
            return piece
        }
    }

    /// Whether an expiration of this key is kept.
    package func holds(_ key: [UInt8], from ordinal: UInt64) -> Bool {
        state.withLock { state in
            var isFound = false
            state.log.forEach(after: ordinal - min(ordinal, 1)) { _, kept in
                isFound = kept.equals(key)
                return !isFound
            }
            return isFound
        }
    }

    /// Puts in what a peer heard; returns how many were new.
    ///
    /// - Parameter now: milliseconds since 1970. A peer's clock may be wrong: it must not make its word too old to be kept.
    package func insert(_ heard: [HeardExpiration], look: Int, now: UInt64) -> Int {
        let age = UInt64(limitAge.components.seconds) * 1000
        let oldest = now - min(now, age / 2)
        let kept = heard.map { one in
            var one = one
            one.receivedAt = min(max(one.receivedAt, oldest), now)
            return one
        }
        defer { budget?.check() }
        return state.withLock { state in
            defer { charge(&state) }
            let tellings: [(HeardExpiration.Standing, ExpirationLog.Provenance)] = [
                (.unknown, .told(look: look)), (.owned, .vouched), (.disowned, .disowned),
            ]
            return tellings.reduce(0) { count, telling in
                count + state.log.insert(kept.filter { $0.standing == telling.0 }, provenance: telling.1)
            }
        }
    }

    /// Whether a leader's progress speaks of this log.
    package func follow(_ isFollowed: Bool) { state.withLock { $0.isFollowed = isFollowed } }

    /// Whether the leader's cursor stands before an entry that it can neither count nor ignore.
    func stands(atUnproven isUnproven: Bool) {
        state.withLock { state in
            if state.isUnproven != isUnproven { state.isUnproven = isUnproven }
        }
    }

    /// Forgets what is finished. What is not is kept whatever its age (see ``trimAged(now:)``).
    package func trim(through ordinal: UInt64) {
        state.withLock { state in
            state.isFollowed = true
            state.settled = max(state.settled, ordinal)
            state.log.trim(through: ordinal)
            charge(&state)
            state.unannounced.trim(through: ordinal)
        }
    }
}
