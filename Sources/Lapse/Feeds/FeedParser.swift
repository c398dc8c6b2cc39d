package import RESP

/// Says of each message what it is; it alone knows the channels. Pure: bytes in, calls out, in their
/// order.
package enum FeedParser {
    /// - Parameters:
    ///   - expirations: keys that one channel announced one behind the other, and its database.
    ///   - tooLarge: a key too large to be held was announced; its length in bytes, and how it begins.
    ///   - control: any other message: what replicas tell each other, see ``ControlMessage``.
    static func parse(
        _ batch: borrowing ReplyBatch, expirations: (borrowing MessageRun, _ database: UInt16) -> Void,
        tooLarge: (_ bytes: Int, _ begin: RawSpan) -> Void, control: (RawSpan) -> Void
    ) {
        batch.forEachPush { run in
            if let database = run.withChannel({ EventChannel.database(of: $0) }) {
                expirations(run, database)
            } else {
                run.forEachPayload(control)
            }
        } other: { kind, channel, begin in
            guard case .largeMessage(let bytes) = kind, EventChannel.database(of: channel) != nil else { return }
            tooLarge(bytes, begin)
        }
    }
}

/// A message on the control channel.
enum ControlMessage {
    /// A leader has released the lease.
    case released
    /// A leader asks its peers for what it did not hear: the text of a ``RepairRequest``.
    case asked(String)
    case told(GroupMessage)
    /// The count of some process at this place of its stream.
    case marked(HeardMark)

    private static let release = Array("released".utf8)
    private static let repairPrefix = Array(RepairRequest.prefix.utf8)

    init?(_ payload: RawSpan) {
        if payload.equals(Self.release) {
            self = .released
        } else if payload.starts(with: Self.repairPrefix) {
            guard payload.byteCount <= RepairRequest.limitBytes else { return nil }
            self = .asked(payload.text)
        } else if let mark = HeardMark(payload) {
            self = .marked(mark)
        } else {
            guard let message = GroupMessage(payload) else { return nil }
            self = .told(message)
        }
    }
}

extension NodeLog {
    private static let lockSuffix = Array(":lock".utf8)

    /// Whether a key of Lapse's own is the lock of a lease.
    static func isLock(_ key: RawSpan) -> Bool { key.ends(with: lockSuffix) }

    /// Takes in one read: expirations into the log, in their order with everything else, which goes to the
    /// closures.
    ///
    /// - Parameters:
    ///   - now: milliseconds since 1970.
    ///   - since: looks begun when the last ping that was answered was sent; like `look` if nil.
    ///   - look: looks begun.
    ///   - ownLapsed: a key of Lapse's own has expired, see ``isLock(_:)``.
    ///   - tooLarge: told of a key that was too large, with its beginning.
    ///   - control: told of other messages. At a mark it calls ``pinMark()``.
    ///   - deadlines: of the keys that one channel announced one behind the other: one for each, or none at
    ///     all.
    /// - Returns: how many expirations there were.
    package func take(
        _ batch: borrowing ReplyBatch, now: UInt64, since: Int? = nil, look: Int,
        ownLapsed: (RawSpan) -> Void = { _ in },
        tooLarge: (_ bytes: Int, _ begin: RawSpan) -> Void = { _, _ in }, control: (RawSpan) -> Void,
        deadlines: (borrowing MessageRun, _ database: UInt16) -> [KnownDeadline] = { _, _ in [] }
    ) -> Int {
        var count = 0
        FeedParser.parse(batch) { run, database in
            append(
                run, database: database, now: now, since: since ?? look, look: look,
                deadlines: deadlines(run, database))
            count += run.count
            run.forEachPayload(beginningWith: EventChannel.ownKeyPrefix, ownLapsed)
        } tooLarge: { bytes, begin in
            passLargeKey()
            count += 1
            tooLarge(bytes, begin)
        } control: {
            control($0)
        }
        return count
    }
}

extension MessageRun: KeyRun {}
