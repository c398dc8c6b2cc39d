/// Who has still to answer a leader that asked for a hole, and what the hole still lacks.
package struct RepairTally {
    private let ordinals: ClosedRange<UInt64>
    private var waitingFor: Set<String>
    private var missing: UInt64

    /// - Parameter peers: the other replicas.
    package init(_ ordinals: ClosedRange<UInt64>, peers: Set<String>) {
        self.ordinals = ordinals
        waitingFor = peers
        missing = UInt64(ordinals.count)
    }

    /// Nobody is left to answer, or nothing left to ask for.
    package var isOver: Bool { waitingFor.isEmpty || missing == 0 }

    /// - Parameter insert: puts expirations into the log; says how many were new.
    package mutating func take(_ answer: RepairAnswer, insert: ([HeardExpiration]) -> Int) {
        switch answer {
        case .heard(let expirations):
            missing -= min(missing, UInt64(insert(expirations.filter { ordinals.contains($0.ordinal) })))
        case .done(let replica): waitingFor.remove(replica)
        }
    }
}
