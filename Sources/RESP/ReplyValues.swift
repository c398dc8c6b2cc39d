internal import CHiredisReader
internal import NIOCore

extension ReplyBatch {
    /// The replies as values that outlive the batch.
    package func values() -> [RESPValue] {
        var values: [RESPValue] = []
        values.reserveCapacity(count)
        var index = 0
        var channel = 0
        while index < nodeCount {
            switch node(index).kind {
            case lapse_node_channel:
                channel = index
                index += 1
            case lapse_node_message:
                values.append(message(node(index), on: node(channel)))
                index += 1
            case lapse_node_large_message:
                values.append(message(nil, on: node(channel)))
                index += 1
            default: values.append(value(at: &index))
            }
        }
        return values
    }

    /// - Parameter payload: nil for one that was passed over.
    private func message(_ payload: ReplyNode?, on channel: ReplyNode) -> RESPValue {
        .array([
            .bulk(ByteBuffer(string: "message")), .bulk(channel.withBytes(ByteBuffer.init(copying:))),
            payload.map { .bulk($0.withBytes(ByteBuffer.init(copying:))) } ?? .null,
        ])
    }

    /// Recursion is safe: the C side refuses arrays nested deeper than seven.
    private func value(at index: inout Int, in shared: SharedBytes? = nil) -> RESPValue {
        let node = node(index)
        index += 1
        switch node.kind {
        case lapse_node_simple:
            return .simple(node.withBytes(String.init(repairing:)))
        case lapse_node_error:
            return .error(RESPError(node.withBytes(String.init(repairing:))))
        case lapse_node_integer:
            return .integer(node.integer)
        case lapse_node_bulk:
            if let slice = shared?.slice(at: node.offset, length: node.byteCount) { return .bulk(slice) }
            return .bulk(node.withBytes(ByteBuffer.init(copying:)))
        case lapse_node_array:
            let shared = shared ?? sharedBytes(of: index..<end(of: index - 1))
            var elements: [RESPValue] = []
            elements.reserveCapacity(node.elements)
            for _ in 0..<node.elements {
                elements.append(value(at: &index, in: shared))
            }
            return .array(elements)
        default:
            return .null
        }
    }
}

/// The bytes of all strings of one reply in one piece of memory: one of its own for each would cost
/// more than to read them.
private struct SharedBytes {
    /// The most: one string that is kept keeps all of them.
    static let limit = 256 << 10

    /// Where they begin on the tape.
    let start: Int
    let bytes: ByteBuffer

    func slice(at offset: Int, length: Int) -> ByteBuffer? { bytes.getSlice(at: offset - start, length: length) }
}

extension ReplyBatch {
    /// Nil where they are too many, or one string alone.
    private func sharedBytes(of nodes: Range<Int>) -> SharedBytes? {
        var (start, end, count) = (Int.max, 0, 0)
        for index in nodes where node(index).kind == lapse_node_bulk {
            let node = node(index)
            start = min(start, node.offset)
            end = max(end, node.offset + node.byteCount)
            count += 1
        }
        guard count > 1, end - start <= SharedBytes.limit else { return nil }
        return SharedBytes(start: start, bytes: withBytes(start..<end, ByteBuffer.init(copying:)))
    }
}

extension String {
    /// Text from the wire; what is not UTF-8 is replaced.
    fileprivate init(repairing bytes: RawSpan) {
        // Unsafe: the pointer is used up before the closure returns.
        self = unsafe bytes.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
    }
}

extension ByteBuffer {
    fileprivate init(copying bytes: RawSpan) {
        self.init()
        writeBytes(bytes)
    }
}
