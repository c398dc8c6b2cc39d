import Synchronization

/// Lines on their way to stdout. A reader that stands still costs so many bytes and no more.
final class TailQueue: Sendable {
    /// What is put here, a whole read at a time. Each is to be told to ``printed(_:)``.
    let lines: AsyncStream<[UInt8]>
    private let sink: AsyncStream<[UInt8]>.Continuation
    private let room: Int
    private let taken = Mutex(0)
    /// What an element takes beside its bytes.
    private static let overhead = 64

    /// - Parameter room: the most that waits, in bytes.
    init(room: Int = 64 << 20) {
        self.room = room
        (lines, sink) = AsyncStream.makeStream(bufferingPolicy: .unbounded)
    }

    /// - Returns: false when there is no room: they are dropped.
    func put(_ batch: [UInt8]) -> Bool {
        let weight = batch.count + Self.overhead
        let hasRoom = taken.withLock { taken in
            // One alone is never too large: what a read brings is bounded.
            guard taken == 0 || taken + weight <= room else { return false }
            taken += weight
            return true
        }
        if hasRoom { sink.yield(batch) }
        return hasRoom
    }

    /// There is room for others.
    func printed(_ batch: [UInt8]) { taken.withLock { $0 -= batch.count + Self.overhead } }

    /// Nothing more comes.
    func finish() { sink.finish() }
}
