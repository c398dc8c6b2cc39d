/// How many expirations a lane asks for at once: many if its handlers end at once, else one.
///
/// A batch makes the locking cheap where that is the price; where handlers take their time, it only
/// keeps others from them.
package struct Pace: Sendable {
    private(set) var isQuick = false
    /// Quicker than another lane could come to help.
    private(set) var isFleeting = false
    // In nanoseconds.
    private static let quickLimit: Int64 = 20_000
    private static let fleetingLimit: Int64 = 2_000

    var batchLimit: Int { isQuick ? Batch.limit : 1 }

    /// The last handler took this many nanoseconds.
    mutating func took(_ time: Int64) {
        isQuick = time < Self.quickLimit
        isFleeting = time < Self.fleetingLimit
    }
}
