import Synchronization

/// The feed's side: what it adds, and what it learns of the numbers.
extension NodeLog {
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
            state.awaitsPeers = false
            state.endedAt = now
            take(state.numbering.believeClaims(), wereAnnounced: false, &state)
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

    /// Whether the next mark, or a peer's word, may number everything anew.
    package var isProvisional: Bool { state.withLock { $0.isProvisional } }

    /// This replica has not heard the process before: peers may know of a reset or of forged messages.
    /// Until ``peersWereAsked()`` nothing is handled under its numbers.
    package func awaitPeers() { state.withLock { $0.awaitsPeers = true } }

    package func peersWereAsked() { state.withLock { $0.awaitsPeers = false } }

    /// Adds keys that were announced one behind the other.
    ///
    /// - Parameters:
    ///   - now: milliseconds since 1970.
    ///   - since: looks begun when the last ping that was answered was sent.
    ///   - look: looks begun.
    ///   - deadlines: one for each key, or none at all.
    package func append(
        _ keys: borrowing some KeyRun & ~Copyable, database: UInt16, now: UInt64, since: Int, look: Int,
        deadlines: [KnownDeadline] = []
    ) {
        state.withLock { state in
            let provenance: ExpirationLog.Provenance =
                state.provenanceIsDoubted
                ? .doubted(look: look) : .trusted(since: max(since, state.since), look: look)
            let isNumbered = state.numbering.isNumbered
            let number = state.numbering.next(keys.count)
            state.log.append(
                keys, database: database, number: number, isNumbered: isNumbered, now: now, provenance: provenance,
                deadlines: deadlines)
            state.received += UInt64(keys.count)
            state.unheard = 0
            // By bytes alone: a wall clock that was just set must not pass for age.
            if state.log.bytes > limitBytes { _ = state.log.trim(toBytes: limitBytes, oldest: 0) }
            charge(&state)
        }
        budget?.check()
    }

    /// A key was announced that is too large to be held: it has its number, and is missing in the log. So
    /// it counts as lost.
    package func passLargeKey() {
        state.withLock { state in
            _ = state.numbering.next()
            state.received += 1
            state.unheard = 0
        }
    }

    /// The mark stands here: between what was added before and what is added from now on.
    package func pinMark() {
        state.withLock { state in
            state.numbering.pin()
            if state.isSilencedSinceMark {
                state.isSilencedBeforeMark = true
                state.isSilencedSinceMark = false
            }
        }
    }

    /// A peer found that the node announced nothing, and said so before it mended that: between two looks
    /// of this replica.
    package func wasSilenced() { state.withLock { $0.isSilencedSinceMark = true } }

    /// The process took the place of one that replicas had listened to: what it announced before this
    /// replica heard it is owed, too, and is handled or counted as lost.
    func owesEverything() {
        state.withLock { state in
            state.isSuccessor = true
            if state.baseline != nil { state.baseline = 0 }
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
            let isFine = flagsWereFine && !state.isSilencedBeforeMark
            let pinned = state.numbering.pinned
            if let pinned {
                take(state.numbering.settle(counter: counter, heard: pinned), wereAnnounced: isFine, &state)
            }
            let finding = state.numbering.resolve(counter: counter, floor: floor)
            switch finding {
            case .numbered(let offset, _):
                state.log.number([state.numbering.firstPart(offset)])
                if state.baseline == nil { state.baseline = state.isSuccessor ? 0 : offset }
                if let pinned {
                    take(state.numbering.settle(counter: counter, heard: pinned), wereAnnounced: isFine, &state)
                }
            case .renumbered(let start, let shift):
                state.log.renumber(after: start, by: shift)
                state.unannounced.renumber(after: start, by: shift)
                if state.baseline == start { state.baseline = start + shift }
            case .surplus(let count): state.surplus += count
            case .missed(let ordinals): miss(ordinals, wereAnnounced: isFine, &state)
            case .confirmed, .reset, nil: break
            }
            if finding != nil { state.isSilencedBeforeMark = false }
            return finding
        }
    }

    /// Drops what is older than the log's age, of a log of which no leader has written, or whose leader
    /// waits for a proof that may never come. What a leader's progress calls pending or waiting is kept:
    /// its next leader would call it lost.
    ///
    /// - Parameters:
    ///   - now: milliseconds since 1970.
    ///   - ordinal: only up to this one.
    package func trimAged(now: UInt64, through ordinal: UInt64 = .max) {
        let age = UInt64(limitAge.components.seconds) * 1000
        state.withLock { state in
            let ages = !state.isFollowed || state.isUnproven
            _ = state.log.trim(toBytes: limitBytes, oldest: ages && now > age ? now - age : 0, through: ordinal)
            charge(&state)
        }
    }
}
