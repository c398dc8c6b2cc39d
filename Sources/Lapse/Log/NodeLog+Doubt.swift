import Synchronization

/// A silence casts doubt on what the node announces after it, until it is settled.
extension NodeLog {
    /// The node has gone silent: what comes next is in doubt until ``decide(look:about:isDeposed:)``.
    package func doubt() {
        state.withLock { state in
            state.wasInDoubt = state.provenanceIsDoubted
            state.provenanceIsDoubted = true
            state.silences += 1
        }
    }

    /// The silence that nothing has settled yet; nil without one.
    package var openSilence: Int? {
        state.withLock { $0.provenanceIsDoubted || $0.awaitsLook ? $0.silences : nil }
    }

    /// The node has agreed with the others about its role in the look of this number: that settles this
    /// silence, if no other has begun. What was heard since that look began waits for another one, and the
    /// silence is open until then.
    ///
    /// - Parameter isDeposed: it owns nothing any more. What is still on its way was announced before it
    ///   knew.
    package func decide(look: Int, about silence: Int? = nil, isDeposed: Bool = false) {
        settle(silence) { state in
            state.awaitsLook = !state.log.decide(look: look)
            if isDeposed { state.since = look + 1 }
        }
    }

    /// The process is gone, and cannot be asked any more.
    package func abandonDoubt(about silence: Int) { settle(silence) { $0.log.abandonDoubt() } }

    /// The node went on all the while, and only its connection was slow: this silence casts no doubt on
    /// what comes. An earlier one that nothing has settled still does, and what is in doubt already waits
    /// for a look as before.
    package func acquit(_ silence: Int) {
        settle(silence) { state in
            state.provenanceIsDoubted = state.wasInDoubt
            state.awaitsLook = state.log.isInDoubt
        }
    }

    private func settle(_ silence: Int?, _ body: (inout State) -> Void) {
        state.withLock { state in
            guard silence ?? state.silences == state.silences else { return }
            state.provenanceIsDoubted = false
            state.awaitsLook = false
            body(&state)
        }
    }
}
