package import NIOCore
import RESP

/// An expiration as it travels from a peer.
package struct HeardExpiration: Sendable, Equatable {
    package var ordinal: UInt64
    package var database: UInt16
    /// Milliseconds since 1970, when the peer heard it.
    package var receivedAt: UInt64
    /// Whether the node owned the key's slot at that time: the peer was there, and the asker may not have
    /// been.
    package var standing: Standing
    package var key: [UInt8]

    package enum Standing: UInt8, Sendable {
        /// The asker decides by its own knowledge of the slots.
        case unknown
        case owned
        /// The node had been silent, and came back as one that owned the slot no more.
        case disowned
    }

    package init(ordinal: UInt64, database: UInt16, receivedAt: UInt64, standing: Standing = .unknown, key: [UInt8]) {
        self.ordinal = ordinal
        self.database = database
        self.receivedAt = receivedAt
        self.standing = standing
        self.key = key
    }

    /// What a log keeps.
    init(_ entry: ExpirationLog.Entry, _ key: RawSpan) {
        self.init(
            ordinal: entry.ordinal, database: entry.database, receivedAt: entry.receivedAt, key: [UInt8](copying: key))
    }
}

/// A node process of which a replica keeps expirations.
package struct HeardProcess: Sendable, Hashable {
    package var runID: String
    package var node: String

    package init(runID: String, node: String) {
        self.runID = runID
        self.node = node
    }
}

/// One element of the list in which peers answer: some expirations, or the word that a peer has no
/// more, or has more.
package enum RepairAnswer: Sendable, Equatable {
    case heard([HeardExpiration])
    /// The peer has told everything through this ordinal, and has more: to be asked for when that has been
    /// taken in.
    case more(replica: String, through: UInt64)
    /// With the processes of which the peer keeps something: one may have come and gone unheard by the
    /// leader.
    case done(replica: String, processes: [HeardProcess])

    private static let heardTag = UInt8(ascii: "h")
    private static let doneTag = UInt8(ascii: "d")
    private static let moreTag = UInt8(ascii: "m")
    /// More processes than a peer keeps, and longer texts than it has, are no peer's.
    private static let processLimit = 4096
    private static let textLimit = 512

    package var bytes: [UInt8] {
        var buffer = ByteBuffer()
        switch self {
        case .heard(let expirations):
            buffer.writeInteger(Self.heardTag)
            for one in expirations {
                buffer.writeInteger(one.ordinal)
                buffer.writeInteger(one.database)
                buffer.writeInteger(one.receivedAt)
                buffer.writeInteger(one.standing.rawValue)
                buffer.writeInteger(UInt32(one.key.count))
                buffer.writeBytes(one.key)
            }
        case .more(let replica, let through):
            buffer.writeInteger(Self.moreTag)
            buffer.writeInteger(through)
            buffer.writeString(replica)
        case .done(let replica, let processes):
            buffer.writeInteger(Self.doneTag)
            for text in [replica] + processes.flatMap({ [$0.runID, $0.node] }) {
                buffer.writeInteger(UInt32(text.utf8.count))
                buffer.writeString(text)
            }
        }
        return Array(buffer.readableBytesView)
    }

    /// Nil for bytes that no peer wrote.
    package init?(_ bytes: ByteBuffer) {
        var buffer = bytes
        switch buffer.readInteger(as: UInt8.self) {
        case Self.heardTag:
            var expirations: [HeardExpiration] = []
            while buffer.readableBytes > 0 {
                guard let ordinal = buffer.readInteger(as: UInt64.self).flatMap(PlausibleCount.checked), ordinal > 0,
                    let database = buffer.readInteger(as: UInt16.self),
                    let receivedAt = buffer.readInteger(as: UInt64.self).flatMap(PlausibleCount.checked),
                    let standing = buffer.readInteger(as: UInt8.self).flatMap(HeardExpiration.Standing.init),
                    let length = buffer.readInteger(as: UInt32.self), let key = buffer.readBytes(length: Int(length))
                else { return nil }
                expirations.append(
                    HeardExpiration(
                        ordinal: ordinal, database: database, receivedAt: receivedAt, standing: standing,
                        key: key))
            }
            self = .heard(expirations)
        case Self.moreTag:
            guard let through = buffer.readInteger(as: UInt64.self).flatMap(PlausibleCount.checked),
                buffer.readableBytes <= Self.textLimit, let replica = buffer.readString(length: buffer.readableBytes)
            else { return nil }
            self = .more(replica: replica, through: through)
        case Self.doneTag:
            var texts: [String] = []
            while buffer.readableBytes > 0 {
                guard let length = buffer.readInteger(as: UInt32.self),
                    length <= Self.textLimit, texts.count <= 2 * Self.processLimit,
                    let text = buffer.readString(length: Int(length))
                else { return nil }
                texts.append(text)
            }
            guard texts.count % 2 == 1 else { return nil }
            self = .done(
                replica: texts[0],
                processes: stride(from: 1, to: texts.count, by: 2).map {
                    HeardProcess(runID: texts[$0], node: texts[$0 + 1])
                })
        default: return nil
        }
    }
}
