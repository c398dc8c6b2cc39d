import RESP

/// A copy of a stretch of a log, shared by the expirations of that stretch while they are on their way.
///
/// Many share three allocations: an expiration is a reference to it and an index, whatever the length
/// of its key.
package final class LogSlice: Sendable {
    let process: NodeProcess
    private let chunk: LogChunk
    /// What came before is a take-over's, in milliseconds since 1970.
    private let since: UInt64
    /// Of one that no log knows.
    private let isUnheard: Bool
    /// Where the leader keeps the cursor of the log, see ``CursorTable``; nil for what has no place in any
    /// log.
    let cursorIndex: Int?
    /// The chunk's own, at hand.
    private let first: UInt64

    /// How many bytes of keys it holds at most, if more than one: as long as one of its expirations waits,
    /// all of them stay.
    static let limitBytes = 8 << 10

    /// - Parameter since: when the term began, in milliseconds since 1970.
    init(_ chunk: LogChunk, of process: NodeProcess, since: UInt64, cursorIndex: Int? = nil) {
        self.chunk = chunk
        self.process = process
        self.since = since
        self.cursorIndex = cursorIndex
        first = chunk.first
        isUnheard = false
    }

    /// One expiration.
    ///
    /// - Parameters:
    ///   - received: milliseconds since 1970.
    ///   - deadline: nil where it is not known.
    init(
        _ key: RawSpan, database: UInt16, ordinal: UInt64, process: NodeProcess, origin: ExpirationOrigin,
        received: UInt64,
        deadline: KnownDeadline? = nil, cursorIndex: Int? = nil
    ) {
        let common = LogChunk.Origin(
            database: database, number: ordinal, isNumbered: true, now: received, provenance: .vouched,
            isRepaired: origin == .repair, hasDeadlines: deadline != nil)
        var chunk = LogChunk(for: common)
        let deadlines = deadline.map { [$0] } ?? []
        _ = chunk.take(key, from: 0, 0..<1, within: key.byteCount, common, deadlines: deadlines) { _ in key.byteCount }
        self.chunk = chunk
        self.process = process
        self.cursorIndex = cursorIndex
        first = ordinal
        since = origin == .takeover ? .max : 0
        isUnheard = origin == .reconcile
    }

    private init(_ chunk: LogChunk, of other: LogSlice) {
        self.chunk = chunk
        process = other.process
        cursorIndex = other.cursorIndex
        first = chunk.first
        since = other.since
        isUnheard = other.isUnheard
    }

    /// A copy of one alone.
    func alone(_ index: Int) -> LogSlice { LogSlice(chunk.copy(from: index, upTo: 1, bytes: 0), of: self) }

    var isOfOne: Bool { chunk.count == 1 }

    func keyBytes(_ index: Int) -> Int { chunk.keyBytes(index) }

    func ordinal(_ index: Int) -> UInt64 { first + UInt64(index) }

    /// - Parameter indices: at least one.
    func ordinals(_ indices: Range<Int>) -> ClosedRange<UInt64> {
        first + UInt64(indices.lowerBound)...first + UInt64(indices.upperBound) - 1
    }

    func database(_ index: Int) -> UInt16 { chunk.database(index) }

    /// Milliseconds since 1970.
    func received(_ index: Int) -> UInt64 { chunk.receivedAt(index) }

    /// Nil where it is not known.
    func deadline(_ index: Int) -> KnownDeadline? { chunk.deadline(index) }

    func origin(_ index: Int) -> ExpirationOrigin {
        if isUnheard { return .reconcile }
        if chunk.isRepaired { return .repair }
        return received(index) < since ? .takeover : .live
    }

    func withKey<Result>(_ index: Int, _ body: (RawSpan) -> Result) -> Result { chunk.withKey(index, body) }
}
