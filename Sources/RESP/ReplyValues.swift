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
    private func value(at index: inout Int) -> RESPValue {
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
            return .bulk(node.withBytes(ByteBuffer.init(copying:)))
        case lapse_node_array:
            var elements: [RESPValue] = []
            elements.reserveCapacity(node.elements)
            for _ in 0..<node.elements {
                elements.append(value(at: &index))
            }
            return .array(elements)
        default:
            return .null
        }
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
