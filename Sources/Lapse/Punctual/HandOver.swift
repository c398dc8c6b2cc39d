/// What was kept for a server that is no master any more, in slices: other work goes on
/// between them. Pure.
package struct HandOver: Sendable {
    /// Keys of one slice.
    package static let slice = 2_048
    /// What falls due sooner goes first, in milliseconds.
    private static let soon: Int64 = 10_000

    private let machine: PunctualMachine
    private var places: [Int]

    /// - Parameter machine: as it was when its node ended: later answers are not of its time.
    package init(_ machine: PunctualMachine, now: Int64) {
        self.machine = machine
        places = machine.table.places
        let end = machine.clock.atMost(now) + Self.soon
        let table = machine.table
        // The slices are taken from the end.
        _ = places.partition { !table[$0].state.contains(.known) || table[$0].deadline <= end }
    }

    /// The next ones; none when that was all.
    package mutating func next() -> [PunctualMachine.KnownElsewhere] {
        let slice = places.suffix(Self.slice)
        defer { places.removeLast(slice.count) }
        return slice.map { machine.copy($0) }
    }
}
