import Synchronization

/// Marks of any replica, each at its place: see ``Numbering/Claim``.
extension NodeLog {
    /// A mark was heard here, of any replica.
    ///
    /// - Returns: whether what follows waits for the node's word.
    package func heard(_ mark: HeardMark) -> Bool {
        guard let counter = mark.counter else { return false }
        return state.withLock { state in
            let waits = state.numbering.hear(counter: counter)
            state.log.seal()
            return waits
        }
    }

    /// Before the node is asked for its counter: to be handed to ``settle(counter:heard:flagsWereFine:)``.
    /// Nil while no mark waits for its word.
    package var openClaims: UInt64? { state.withLock { $0.numbering.openClaims } }

    /// The node has told its counter.
    ///
    /// - Parameter heard: ``openClaims`` before it was asked.
    package func settle(counter: UInt64, heard: UInt64, flagsWereFine: Bool) {
        state.withLock { state in
            let isFine = flagsWereFine && !state.isSilencedBeforeMark && !state.isSilencedSinceMark
            take(state.numbering.settle(counter: counter, heard: heard), wereAnnounced: isFine, &state)
        }
    }

    func take(_ settlement: Numbering.Settlement, wereAnnounced: Bool, _ state: inout State) {
        state.log.number(settlement.parts)
        for gap in settlement.gaps { miss(gap, wereAnnounced: wereAnnounced, &state) }
        state.found += settlement.gaps
    }

    /// A connection that stands loses nothing: these were counted and not announced.
    ///
    /// - Parameter wereAnnounced: whether the node was set to announce what expires.
    func miss(_ ordinals: ClosedRange<UInt64>, wereAnnounced: Bool, _ state: inout State) {
        state.unannounced.add(ordinals, wereAnnounced ? .countedOnly : .silenced)
        if state.numbering.last == ordinals.upperBound { state.unheard += UInt64(ordinals.count) }
    }

    /// The node does not answer: marks that wait for its word are passed over.
    package func abandonClaims() {
        state.withLock { $0.log.number($0.numbering.abandonClaims().parts) }
    }

    /// What has been missed in a connection that stood, and was not asked about yet.
    package func takeFound() -> [ClosedRange<UInt64>] {
        state.withLock { state in
            defer { state.found = [] }
            return state.found
        }
    }
}
