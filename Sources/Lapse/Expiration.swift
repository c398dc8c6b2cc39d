public import FoundationEssentials
import RESP

/// One key that Redis expired.
public struct Expiration: Sendable, Hashable {
    /// The key, byte for byte.
    public let key: ExpirationKey
    /// Why it is handled now.
    public let origin: Origin
    /// The companion's value; nil without a companion rule, and when there was no companion any more: then this
    /// expiration has probably been handled before.
    public let value: [UInt8]?
    let databaseNumber: UInt16
    let process: NodeProcess
    let ordinal: UInt64
    /// Since 1970.
    let receivedMilliseconds: UInt64

    package init(
        key: ExpirationKey, database: UInt16, process: NodeProcess, ordinal: UInt64, origin: Origin,
        receivedMilliseconds: UInt64, value: [UInt8]? = nil
    ) {
        self.key = key
        databaseNumber = database
        self.process = process
        self.ordinal = ordinal
        self.origin = origin
        self.receivedMilliseconds = receivedMilliseconds
        self.value = value
    }

    /// The logical database, 0 in a cluster.
    public var database: Int { Int(databaseNumber) }

    /// The address of the node that announced it, `host:port`.
    public var node: String { process.node }

    /// Its exact number on that node: the same in every replica, so it serves as an idempotency key. One that was found by
    /// its companion (``Origin/reconcile``) was never announced: its run ID is empty and its ordinal 0.
    public var position: Position { Position(runID: process.runID, ordinal: ordinal) }

    /// When this replica heard of it, by the wall clock, to the millisecond.
    public var receivedAt: Date { Date(timeIntervalSince1970: Double(receivedMilliseconds) / 1000) }

    /// The same with its companion's value.
    func with(_ value: [UInt8]?) -> Expiration {
        Expiration(
            key: key, database: databaseNumber, process: process, ordinal: ordinal, origin: origin,
            receivedMilliseconds: receivedMilliseconds, value: value)
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

/// The exact number of an expiration on its node: the node's run ID and how many it had expired by then.
///
/// Redis publishes the event in the step that raises `expired_keys`, so every subscriber counts the same.
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
public enum Origin: String, Sendable, Hashable, CaseIterable, Codable {
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
    /// The ordinals that are missing.
    public let ordinals: ClosedRange<UInt64>
    /// How many of them were brought in from a peer.
    public let repaired: UInt64

    package init(node: String, runID: String, ordinals: ClosedRange<UInt64>, repaired: UInt64) {
        self.node = node
        self.runID = runID
        self.ordinals = ordinals
        self.repaired = repaired
    }

    /// How many are lost for good.
    public var lost: UInt64 { UInt64(ordinals.count) - repaired }
}
