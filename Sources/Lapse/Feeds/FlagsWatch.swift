/// Whether a node was set to announce expirations all the while since the last mark, as far as looks
/// each second can tell.
struct FlagsWatch {
    private var isLastFine = false
    private var isBroken = false
    private var hasLooked = false

    /// True when every look of this subscription, since the last mark behind a bad one, has found the flags
    /// as they should be.
    var wereFine: Bool { hasLooked && !isBroken }

    /// - Parameter areFine: false also while they are unknown.
    mutating func looked(areFine: Bool) {
        hasLooked = true
        isLastFine = areFine
        if !areFine { isBroken = true }
    }

    /// What came before is settled.
    mutating func marked() { if isLastFine { isBroken = false } }
}
