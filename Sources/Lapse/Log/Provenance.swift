extension ExpirationLog {
    /// What is known of how the entries of a chunk came here; ``SlotOwnership`` tells from it whether they
    /// count.
    ///
    /// A *look* is one at the topology. Looks are numbered in their order.
    package enum Provenance: Sendable, Equatable {
        /// Heard without a break: the node answered its pings, or was in the middle of what it had to say.
        /// Announced after the looks before `since` had begun, and before the look with the number `look`.
        case trusted(since: Int, look: Int)
        /// Heard after a silence, before the look with this number: the node may have lost its slots while
        /// frozen.
        case doubted(look: Int)
        /// The doubt ended with the look of this number: the node was asked, and agreed with the others about
        /// its role.
        case decided(look: Int)
        /// The doubt cannot end like that: the process is gone. Heard before the look with this number.
        case abandoned(look: Int)
        /// A peer had heard it, and could not tell whether it counts. It came in before the look with this
        /// number.
        case told(look: Int)
        /// A peer knew that the node owned the slot.
        case vouched
        /// A peer had the proof that the node did not own the slot.
        case disowned

        /// Whether a silence before it is still to be looked into.
        package var isDoubted: Bool {
            if case .doubted = self { true } else { false }
        }
    }
}
