import Synchronization

/// What all logs of a replica hold together, and may hold. It counts what their arrays have reserved,
/// not only what they use.
package final class LogBudget: Sendable {
    package let limit: Int
    private let total = Atomic(0)
    private let isRelieving = Atomic(false)
    private let relief: @Sendable (_ target: Int) -> Void

    /// - Parameter relief: is to drop what is above the target. Called with nothing locked, by one at a
    ///   time.
    init(limit: Int, relief: @escaping @Sendable (_ target: Int) -> Void) {
        self.limit = limit
        self.relief = relief
    }

    package var held: Int { total.load(ordering: .relaxed) }

    func add(_ change: Int) { total.wrappingAdd(change, ordering: .relaxed) }

    /// Called after each read: one comparison, mostly. A little more than needed is dropped, so that it is
    /// not needed at every read.
    func check() {
        guard held > limit, !isRelieving.exchange(true, ordering: .acquiring) else { return }
        relief(limit - limit / 32)
        isRelieving.store(false, ordering: .releasing)
    }

    /// To how much each log is to be cut that holds more: the largest first, and those as large as each
    /// other alike.
    package static func level(of held: [Int], within target: Int) -> Int {
        var left = target
        for (index, amount) in held.sorted().enumerated() {
            let share = left / (held.count - index)
            if amount > share { return max(0, share) }
            left -= amount
        }
        return .max
    }
}
