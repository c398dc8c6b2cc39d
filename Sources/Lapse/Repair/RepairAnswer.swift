package import NIOCore
import RESP

/// An expiration as it travels from a peer.
package struct HeardExpiration: Sendable, Equatable {
    package var ordinal: UInt64
    package var database: UInt16
    /// Milliseconds since 1970, when the peer heard it.
    package var receivedAt: UInt64
    package var key: [UInt8]

    package init(ordinal: UInt64, database: UInt16, receivedAt: UInt64, key: [UInt8]) {
        self.ordinal = ordinal
        self.database = database
        self.receivedAt = receivedAt
        self.key = key
    }

    /// What a log keeps.
    init(_ entry: ExpirationLog.Entry, _ key: RawSpan) {
        self.init(
            ordinal: entry.ordinal, database: entry.database, receivedAt: entry.receivedAt, key: [UInt8](copying: key))
    }
}

/// One element of the list in which peers answer: some expirations, or the word that a peer has no more.
package enum RepairAnswer: Sendable, Equatable {
    case heard([HeardExpiration])
    case done(replica: String)

    private static let heardTag = UInt8(ascii: "h")
    private static let doneTag = UInt8(ascii: "d")

    package var bytes: [UInt8] {
        var buffer = ByteBuffer()
        switch self {
        case .heard(let expirations):
            buffer.writeInteger(Self.heardTag)
            for one in expirations {
                buffer.writeInteger(one.ordinal)
                buffer.writeInteger(one.database)
                buffer.writeInteger(one.receivedAt)
                buffer.writeInteger(UInt32(one.key.count))
                buffer.writeBytes(one.key)
            }
        case .done(let replica):
            buffer.writeInteger(Self.doneTag)
            buffer.writeString(replica)
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
                guard let ordinal = buffer.readInteger(as: UInt64.self),
                    let database = buffer.readInteger(as: UInt16.self),
                    let receivedAt = buffer.readInteger(as: UInt64.self),
                    let length = buffer.readInteger(as: UInt32.self), let key = buffer.readBytes(length: Int(length))
                else { return nil }
                expirations.append(
                    HeardExpiration(ordinal: ordinal, database: database, receivedAt: receivedAt, key: key))
            }
            self = .heard(expirations)
        case Self.doneTag: self = .done(replica: buffer.readString(length: buffer.readableBytes) ?? "")
        default: return nil
        }
    }
}
