import Synchronization

extension Atomic where Value == Double {
    /// Adds without a lock; processors have no instruction for it, so it compares and tries again.
    borrowing func add(_ amount: Double) {
        var known = load(ordering: .relaxed)
        while true {
            let (exchanged, original) = weakCompareExchange(
                expected: known, desired: known + amount, ordering: .relaxed)
            if exchanged { return }
            known = original
        }
    }
}
