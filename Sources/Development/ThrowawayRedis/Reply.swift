/// A RESP2 reply.
enum Reply: Sendable, Equatable {
    case text(String)
    case error(String)
    case integer(Int)
    case array([Reply])
    case null

    var text: String? {
        guard case .text(let text) = self else { return nil }
        return text
    }

    var integer: Int? {
        guard case .integer(let number) = self else { return nil }
        return number
    }

    var items: [Reply] {
        guard case .array(let items) = self else { return [] }
        return items
    }
}

/// Takes replies out of a byte stream as they become complete.
struct ReplyParser {
    private var bytes: [UInt8] = []
    private var start = 0

    mutating func append(_ more: ArraySlice<UInt8>) {
        if start > 0 { bytes.removeFirst(start) }
        start = 0
        bytes += more
    }

    /// The next complete reply, or nil until more bytes come.
    mutating func next() throws -> Reply? {
        var position = start
        guard let reply = try reply(at: &position) else { return nil }
        start = position
        return reply
    }

    private func reply(at position: inout Int) throws -> Reply? {
        guard let kind = bytes[position...].first, let line = line(at: &position) else { return nil }
        switch kind {
        case UInt8(ascii: "+"): return .text(line)
        case UInt8(ascii: "-"): return .error(line)
        case UInt8(ascii: ":"): return .integer(Int(line) ?? 0)
        case UInt8(ascii: "$"):
            guard let count = Int(line), count >= 0 else { return .null }
            guard bytes.count >= position + count + 2 else { return nil }
            defer { position += count + 2 }
            return .text(String(decoding: bytes[position..<(position + count)], as: UTF8.self))
        case UInt8(ascii: "*"):
            guard let count = Int(line), count >= 0 else { return .null }
            var items: [Reply] = []
            for _ in 0..<count {
                guard let item = try reply(at: &position) else { return nil }
                items.append(item)
            }
            return .array(items)
        default: throw ThrowawayRedisError("not RESP: \(line.prefix(80))")
        }
    }

    /// The rest of a line after its first byte, which may be all of a command's small reply.
    private func line(at position: inout Int) -> String? {
        guard let end = bytes[position...].firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        defer { position = end + 1 }
        return String(decoding: bytes[(position + 1)..<(end - 1)], as: UTF8.self)
    }
}
