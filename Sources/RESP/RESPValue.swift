package import NIOCore

/// One reply of Redis.
package enum RESPValue: Sendable, Equatable {
    case simple(String)
    case error(RESPError)
    case integer(Int64)
    case bulk(ByteBuffer)
    case null
    case array([RESPValue])

    /// The text of a simple or bulk string; bytes that are not UTF-8 are replaced.
    package var string: String? {
        switch self {
        case .simple(let text): text
        case .bulk(let buffer): String(buffer: buffer)
        default: nil
        }
    }

    /// An integer, also one that Redis sends as text (hash fields, configuration values).
    package var int: Int64? {
        switch self {
        case .integer(let number): number
        case .simple, .bulk: string.flatMap { Int64($0) }
        default: nil
        }
    }

    package var array: [RESPValue]? {
        if case .array(let elements) = self { elements } else { nil }
    }

    /// The bytes of a simple or bulk string, exactly as they came in the case of a bulk.
    package var bytes: ByteBuffer? {
        switch self {
        case .simple(let text): ByteBuffer(string: text)
        case .bulk(let buffer): buffer
        default: nil
        }
    }

    package var error: RESPError? {
        if case .error(let error) = self { error } else { nil }
    }

    package var isNull: Bool { self == .null }
}

extension RESPValue: CustomDebugStringConvertible {
    /// Short enough for a log line: of long values only the beginning.
    package var debugDescription: String {
        switch self {
        case .simple(let text): return text
        case .error(let error): return "error(\(error))"
        case .integer(let number): return "\(number)"
        case .bulk(let buffer):
            let start = String(
                buffer: buffer.getSlice(at: buffer.readerIndex, length: min(32, buffer.readableBytes)) ?? buffer)
            return buffer.readableBytes > 32
                ? "\(start.debugDescription)… (\(buffer.readableBytes) bytes)" : start.debugDescription
        case .null: return "null"
        case .array(let elements):
            let start = elements.prefix(8).map(\.debugDescription).joined(separator: ", ")
            return elements.count > 8 ? "[\(start), … \(elements.count) elements]" : "[\(start)]"
        }
    }
}
