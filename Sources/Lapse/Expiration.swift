public import FoundationEssentials
import RESP

/// One key that Redis expired.
///
/// It shares memory with those that were announced beside it, up to some kilobytes. A program that
/// keeps few of many for long keeps their keys and positions instead.
public struct Expiration: Sendable {
    let slice: LogSlice
    let index: Int
    /// The companion's value; nil without a companion rule, and when there was no companion any more: then
    /// this expiration has probably been handled before.
    public let value: [UInt8]?

    init(_ slice: LogSlice, _ index: Int, value: [UInt8]? = nil) {
        self.slice = slice
        self.index = index
        self.value = value
    }

    /// Reads the key without a copy.
    package func withKey<Result>(_ body: (RawSpan) -> Result) -> Result { slice.withKey(index, body) }

    /// Whether it shares node, process, database and ``origin`` with another one, as far as can be told at
    /// a glance.
    package func isBeside(_ other: Expiration) -> Bool { slice === other.slice && origin == other.origin }

    /// The ordinal of ``position``.
    package var ordinal: UInt64 { slice.ordinal(index) }
    /// The run ID of ``position``.
    package var runID: String { slice.process.runID }
    /// ``receivedAt`` in milliseconds since 1970.
    package var receivedMilliseconds: UInt64 { slice.received(index) }

    /// ``deadline`` and ``lag`` in milliseconds; nil where they are not known.
    package var knownDeadline: KnownDeadline? { slice.deadline(index) }

    /// The key, byte for byte.
    public var key: ExpirationKey { slice.withKey(index) { ExpirationKey(copying: $0) } }

    /// Why it is handled now.
    public var origin: ExpirationOrigin { slice.origin(index) }

    /// The logical database, 0 in a cluster.
    public var database: Int { Int(slice.database(index)) }

    /// The address of the node that announced it, `host:port`.
    public var node: String { slice.process.node }

    /// Its exact number on that node: the same in every replica, so it serves as an idempotency key. One
    /// that was found by its companion (``ExpirationOrigin/reconcile``) was never announced: its run ID is
    /// empty and its ordinal 0.
    public var position: Position { Position(runID: slice.process.runID, ordinal: slice.ordinal(index)) }

    /// When this replica heard of it, by the wall clock, to the millisecond.
    public var receivedAt: Date { Date(timeIntervalSince1970: Double(slice.received(index)) / 1000) }

    /// When the key was to expire, by the clock of its server, to the millisecond: known of the keys whose
    /// deadline the leader kept (``ProcessorConfiguration/Punctual/track``); nil of all others, and of what
    /// was heard before this replica led.
    public var deadline: Date? {
        slice.deadline(index).map { Date(timeIntervalSince1970: Double($0.milliseconds) / 1000) }
    }

    /// How long after the ``deadline`` the leader heard of it, to the millisecond, by the clock of the
    /// server; nil where that is nil.
    public var lag: Duration? { slice.deadline(index).map { .milliseconds($0.lagMilliseconds) } }
}

extension Expiration {
    /// One that no Redis announced, for tests of a handler.
    ///
    /// - Parameters:
    ///   - key: the key that expired.
    ///   - database: its logical database, 0 to 65535.
    ///   - node: the address of the node that announced it, `host:port`.
    ///   - position: its number on that node.
    ///   - origin: why it is handled.
    ///   - receivedAt: when it was heard; kept to the millisecond.
    ///   - value: the companion's value.
    ///   - deadline: when it was to expire; kept to the millisecond.
    ///   - lag: how much later it was heard; without a deadline it is not kept.
    public init(
        key: ExpirationKey, database: UInt16 = 0, node: String = "127.0.0.1:6379",
        position: Position = Position(runID: "test", ordinal: 1), origin: ExpirationOrigin = .live,
        receivedAt: Date = Date(),
        value: [UInt8]? = nil, deadline: Date? = nil, lag: Duration = .zero
    ) {
        let known = deadline.flatMap { deadline in
            KnownDeadline(
                milliseconds: UInt64(max(0, (deadline.timeIntervalSince1970 * 1000).rounded())),
                lag: UInt64(max(0, lag / .milliseconds(1))))
        }
        self.init(
            key: key, database: database, process: NodeProcess(runID: position.runID, node: node),
            ordinal: position.ordinal, origin: origin,
            receivedMilliseconds: UInt64(max(0, receivedAt.timeIntervalSince1970 * 1000)), value: value,
            deadline: known)
    }

    /// One alone.
    ///
    /// - Parameter received: milliseconds since 1970.
    package init(
        key: ExpirationKey, database: UInt16, process: NodeProcess, ordinal: UInt64, origin: ExpirationOrigin,
        receivedMilliseconds received: UInt64, value: [UInt8]? = nil, deadline: KnownDeadline? = nil
    ) {
        let bytes = key.bytes
        self.init(
            // Unsafe in name only: a byte has no padding.
            LogSlice(
                unsafe bytes.span.bytes, database: database, ordinal: ordinal, process: process, origin: origin,
                received: received, deadline: deadline), 0, value: value)
    }
}

extension Expiration: Hashable {
    /// Whether both are the same announcement with the same value; ``deadline`` and ``lag`` are not
    /// compared.
    public static func == (left: Expiration, right: Expiration) -> Bool {
        left.identity == right.identity && left.key == right.key && left.value == right.value
    }

    /// Hashes the announcement, without the value.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(identity)
        hasher.combine(key)
    }

    private struct Identity: Hashable {
        var process: NodeProcess
        var ordinal: UInt64
        var database: UInt16
        var origin: ExpirationOrigin
        var received: UInt64
    }

    private var identity: Identity {
        Identity(
            process: slice.process, ordinal: slice.ordinal(index), database: slice.database(index),
            origin: origin, received: slice.received(index))
    }
}

/// A key's bytes, with a `String` view for the keys that are UTF-8.
public struct ExpirationKey: Sendable, Hashable, CustomStringConvertible {
    private let storage: KeyBytes

    /// A key of these bytes.
    public init(bytes: [UInt8]) { storage = KeyBytes(bytes) }

    /// A key of the text's UTF-8 bytes.
    public init(_ text: String) { storage = KeyBytes(Array(text.utf8)) }

    init(copying span: RawSpan) { storage = KeyBytes(span) }

    /// The key as Redis knows it.
    public var bytes: [UInt8] { storage.array }

    /// The key as text; nil when its bytes are not UTF-8.
    public var string: String? { String(validating: bytes, as: UTF8.self) }

    /// The key as text, with a replacement character where bytes are not UTF-8.
    public var description: String { String(decoding: bytes, as: UTF8.self) }
}

/// The exact number of an expiration on its node: the node's run ID and how many it had expired by
/// then.
///
/// Redis publishes the event in the step that raises `expired_keys`, so every subscriber counts the
/// same.
public struct Position: Sendable, Hashable, CustomStringConvertible {
    /// Identifies the server process; a restart begins a new count.
    public let runID: String
    /// 1 for the first expiration of that process.
    public let ordinal: UInt64

    /// The number `ordinal` of the process `runID`.
    public init(runID: String, ordinal: UInt64) {
        self.runID = runID
        self.ordinal = ordinal
    }

    /// `runID:ordinal`.
    public var description: String { "\(runID):\(ordinal)" }
}

/// Why an expiration is handled.
public enum ExpirationOrigin: String, Sendable, Hashable, CaseIterable, Codable {
    /// Heard while leading.
    case live
    /// Heard before this replica led, left by the leader before it.
    case takeover
    /// Not heard by this replica, brought in from a peer.
    case repair
    /// Not announced at all, found by its companion.
    case reconcile
}

/// A stretch of one node's expirations that this replica did not hear.
public struct Gap: Sendable, Hashable {
    /// The node's address, `host:port`.
    public let node: String
    /// The node's run ID.
    public let runID: String
    /// Where they are missing: all of these, or after a take-over those among them that the last leader had
    /// not finished.
    public let ordinals: ClosedRange<UInt64>
    /// How many of them were brought in from a peer.
    public let repaired: UInt64
    /// How many are lost for good.
    public let lost: UInt64

    /// - Parameter lost: what was not repaired of all ordinals, unless it is said.
    package init(node: String, runID: String, ordinals: ClosedRange<UInt64>, repaired: UInt64, lost: UInt64? = nil) {
        self.node = node
        self.runID = runID
        self.ordinals = ordinals
        self.repaired = repaired
        self.lost = lost ?? UInt64(ordinals.count) - repaired
    }

    /// How many this replica did not hear.
    package var count: UInt64 { repaired + lost }
}
