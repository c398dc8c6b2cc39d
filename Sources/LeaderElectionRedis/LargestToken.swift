import Synchronization

/// The largest counter that this replica has seen on any register of one election.
///
/// A register that was promoted without its counter, with a clock behind that of the lost server, would
/// give out a smaller one. What a replica has seen while it followed keeps its own next token above.
final class LargestToken: Sendable {
    private let largest = Mutex<UInt64>(0)
    /// Scripts count with doubles. What is larger was written by no register.
    private static let limit: UInt64 = 1 << 53 - 1

    var value: UInt64 { largest.withLock { $0 } }

    func note(_ counter: UInt64) {
        guard counter < Self.limit else { return }
        largest.withLock { $0 = max($0, counter) }
    }
}
