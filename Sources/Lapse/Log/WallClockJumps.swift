/// By how much the wall clock was put forward lately. A pure value.
///
/// Entries carry the time by the wall clock, for their readers; their age must not depend on that clock
/// being set.
struct WallClockJumps {
    private var last: (wall: Int64, monotonic: Duration)?
    private var jumps: [(milliseconds: Int64, at: Duration)] = []
    /// Less is a clock being slewed.
    private static let least: Int64 = 500

    /// - Parameters:
    ///   - wall: milliseconds since 1970.
    ///   - span: jumps count for so long.
    /// - Returns: milliseconds.
    mutating func ahead(_ wall: UInt64, _ monotonic: Duration, for span: Duration) -> UInt64 {
        let wall = Int64(wall)
        if let last {
            let jump = (wall - last.wall) - Int64((monotonic - last.monotonic) / .milliseconds(1))
            if abs(jump) >= Self.least { jumps.append((jump, monotonic)) }
        }
        last = (wall, monotonic)
        jumps.removeAll { monotonic - $0.at > span }
        return UInt64(max(0, jumps.reduce(0) { $0 + $1.milliseconds }))
    }
}
