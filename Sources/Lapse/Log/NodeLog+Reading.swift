import RESP
import Synchronization

/// The side of the leader and its peers: what lies where, and what may be forgotten.
extension NodeLog {
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

    /// When the first one that is kept behind an ordinal was heard, in milliseconds since 1970.
    func received(after ordinal: UInt64) -> UInt64? {
        state.withLock { state in
            state.log.next(after: ordinal).flatMap { state.log.entry($0)?.receivedAt }
        }
    }

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

    /// The gaps of the log, read under its lock.
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

    /// What this replica can tell of these ordinals, up to about this many bytes. While its numbers may
    /// change it tells nothing.
    package func heard(
        in ordinals: ClosedRange<UInt64>, bytes limit: Int, _ ownership: SlotOwnership.OfNode
    ) -> RepairReply.Piece {
        state.withLock { state in
            // Numbers that the next mark may change say nothing.
            guard !state.isProvisional else { return RepairReply.Piece(isClear: false) }
            // A subscription that the server has begun may bring long before its first mark what no peer else
            // heard.
            var piece = RepairReply.Piece(isClear: !state.subscribed || state.numbering.isNumbered)
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
    /// - Parameter now: milliseconds since 1970. A peer's clock may be wrong: it must not make its word too
    ///   old to be kept.
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

    /// Whether a leader waits here for proof of the node's role.
    var isUnproven: Bool { state.withLock { $0.isUnproven } }

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
