internal import CHiredisReader

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// The replies that one slice of bytes completed: a view into the reader, valid inside the closure that
/// received it.
///
/// Unsafe inside: it reads C memory. The reader lends it to one closure and forgets the memory only
/// after that closure has returned; not being copyable, the view cannot stay behind.
@safe
package struct ReplyBatch: ~Copyable {
    private let tape: lapse_batch

    init(_ tape: lapse_batch) {
        unsafe self.tape = tape
    }

    /// How many replies there are.
    package var count: Int { unsafe tape.reply_count }

    /// The number of nodes, those of nested values included.
    var nodeCount: Int { unsafe tape.node_count }

    /// The node at an index below `nodeCount`.
    func node(_ index: Int) -> ReplyNode {
        precondition(index < nodeCount)
        // Unsafe: checked against the count above.
        return unsafe ReplyNode(tape.nodes[index], in: tape.bytes)
    }

    /// Bytes from the first of a string to the last of a string behind it.
    func withBytes<T>(_ range: Range<Int>, _ body: (RawSpan) -> T) -> T {
        // Unsafe: the C side has written the bytes of every string, one behind the other.
        unsafe body(
            RawSpan(
                _unsafeBytes: UnsafeRawBufferPointer(
                    start: tape.bytes.map { unsafe $0 + range.lowerBound }, count: range.count)))
    }

    /// Messages from here on, at least one.
    func run(at index: Int, of channel: Int) -> MessageRun {
        var end = index + 1
        while end < nodeCount, unsafe tape.nodes[end].kind == lapse_node_message { end += 1 }
        return run(index..<end, of: channel)
    }

    /// These nodes as messages: they are of the kind, or strings that stand alone.
    func run(_ nodes: Range<Int>, of channel: Int) -> MessageRun {
        precondition(nodes.lowerBound < nodes.upperBound && nodes.upperBound <= nodeCount && channel < nodeCount)
        // Unsafe: checked against the count above; the C side has written the bytes of every string.
        return unsafe MessageRun(
            nodes: UnsafeBufferPointer(rebasing: UnsafeBufferPointer(start: tape.nodes, count: nodeCount)[nodes]),
            channel: tape.nodes[channel], bytes: tape.bytes)
    }

    /// The index behind the value that begins at `index`, with everything nested in it.
    func end(of index: Int) -> Int {
        var next = index
        var left = 1
        while left > 0 {
            left += node(next).elements - 1
            next += 1
        }
        return next
    }
}

/// One value on the tape; an array is followed by its elements.
@safe
struct ReplyNode {
    private let node: lapse_node
    private let string: UnsafeRawBufferPointer

    init(_ node: lapse_node, in bytes: UnsafePointer<UInt8>?) {
        self.node = node
        switch node.kind {
        case lapse_node_large_message:
            // Unsafe: the C side wrote the first bytes at `offset`.
            unsafe self.string = UnsafeRawBufferPointer(
                start: bytes.map { unsafe $0 + node.offset }, count: min(Int(node.value), Int(LAPSE_LARGE_BYTES)))
        case lapse_node_simple, lapse_node_error, lapse_node_bulk, lapse_node_channel, lapse_node_message:
            // Unsafe: the C side wrote `value` bytes at `offset`, and `bytes` is set once it has any string.
            unsafe self.string = UnsafeRawBufferPointer(
                start: bytes.map { unsafe $0 + node.offset }, count: Int(node.value))
        default:
            unsafe self.string = UnsafeRawBufferPointer(start: nil, count: 0)
        }
    }

    var kind: lapse_node_kind { node.kind }
    var isString: Bool {
        switch node.kind {
        case lapse_node_simple, lapse_node_error, lapse_node_bulk: true
        default: false
        }
    }
    var integer: Int64 { node.value }
    /// Where its bytes begin among those of the batch.
    var offset: Int { Int(node.offset) }
    var byteCount: Int { unsafe string.count }
    /// The values that follow and belong to this one.
    var elements: Int { node.kind == lapse_node_array ? Int(node.value) : 0 }

    /// The bytes of a string; nothing for other kinds.
    func withBytes<T>(_ body: (RawSpan) -> T) -> T {
        // Unsafe: the batch that lent this node outlives the call.
        body(unsafe RawSpan(_unsafeBytes: string))
    }

    func equals(_ text: StaticString) -> Bool {
        guard unsafe string.count == text.utf8CodeUnitCount, let start = unsafe string.baseAddress else {
            return unsafe string.count == text.utf8CodeUnitCount
        }
        // Unsafe: a comparison of two pieces of memory with equal, known lengths.
        return unsafe memcmp(start, text.utf8Start, string.count) == 0
    }
}
