/// The last steps of expirations through this replica's handlers: a ring of a fixed size, into which a
/// stretch of neighbours goes as one record. Its memory is taken once.
package struct HandlingTrail: Sendable {
    enum Kind: UInt8, Sendable { case handedOut, handled }

    struct Step: Sendable {
        var process: NodeProcess
        var first: UInt64
        var count: UInt16
        var kind: Kind
        /// From 1; 255 for more.
        var attempt: UInt8
        /// Of the term.
        var token: UInt64
        /// Milliseconds since 1970.
        var at: UInt64

        func covers(_ ordinal: UInt64) -> Bool { ordinal >= first && ordinal - first < UInt64(count) }
    }

    private var steps: [Step] = []
    private var next = 0
    private let limit: Int
    /// At 40 bytes: 2.5 MiB.
    package static let standardLimit = 1 << 16

    package init(limit: Int = HandlingTrail.standardLimit) {
        self.limit = limit
        steps.reserveCapacity(limit)
    }

    /// All of a list.
    mutating func note(_ kind: Kind, _ list: DeliveryList, token: UInt64, now: UInt64) {
        note(kind, list, 0..<list.count, token: token, now: now) { _ in true }
    }

    /// Those of a list whose bit is set.
    mutating func note(_ kind: Kind, _ list: DeliveryList, bits: UInt64, token: UInt64, now: UInt64) {
        note(kind, list, bits.trailingZeroBitCount..<UInt64.bitWidth - bits.leadingZeroBitCount, token: token, now: now)
        {
            bits & 1 << UInt64($0) != 0
        }
    }

    mutating func note(
        _ kind: Kind, _ list: DeliveryList, _ range: Range<Int>, token: UInt64, now: UInt64,
        where isMeant: (Int) -> Bool = { _ in true }
    ) {
        var index = range.lowerBound
        while index < range.upperBound {
            guard isMeant(index) else {
                index += 1
                continue
            }
            let entry = list.entry(index)
            let stretch = list.stretch(index) {
                $0 < range.upperBound && $0 - index < Int(UInt16.max) && isMeant($0)
                    && list.entry($0).attempt == entry.attempt
            }
            let slice = list.slice(index)
            let ordinal = slice.ordinal(Int(entry.index))
            // What no log knows has no place to be found by.
            if ordinal > 0 {
                add(
                    Step(
                        process: slice.process, first: ordinal, count: UInt16(stretch.count), kind: kind,
                        attempt: UInt8(clamping: entry.attempt), token: token, at: now))
            }
            index = stretch.upperBound
        }
    }

    private mutating func add(_ step: Step) {
        if steps.count < limit {
            steps.append(step)
        } else {
            steps[next] = step
            next = (next + 1) % limit
        }
    }

    /// Of each of these expirations, the oldest first. One pass through the ring for all of them, and no
    /// copy.
    func steps(of wanted: [(process: NodeProcess, ordinal: UInt64)]) -> [[Step]] {
        var found = [[Step]](repeating: [], count: wanted.count)
        for half in [next..<steps.count, 0..<next] {
            for index in half {
                for (place, one) in wanted.enumerated()
                where steps[index].covers(one.ordinal) && steps[index].process == one.process {
                    found[place].append(steps[index])
                }
            }
        }
        return found
    }
}
