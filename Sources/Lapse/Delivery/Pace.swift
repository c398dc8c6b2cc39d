/// How many expirations a lane asks for at once: many if its handlers end at once, else one.
///
/// A batch makes the locking cheap where that is the price; where handlers take their time, it only keeps others from them.
struct Pace {
    private(set) var isQuick = false
    /// In nanoseconds.
    private static let quick: Int64 = 20_000

    var batchLimit: Int { isQuick ? Batch.limit : 1 }

    /// The last handler took so many nanoseconds.
    mutating func took(_ time: Int64) { isQuick = time < Self.quick }
}
