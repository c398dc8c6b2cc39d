/// The wall clock, read at the edge.
package enum WallClock {
    /// Milliseconds since 1970.
    package static func milliseconds() -> UInt64 {
        let wall = SystemClock.read().wall.components
        return UInt64(max(0, wall.seconds * 1000 + wall.attoseconds / 1_000_000_000_000_000))
    }
}
