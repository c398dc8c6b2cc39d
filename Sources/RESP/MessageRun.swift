internal import CHiredisReader

/// Messages of one channel that came one behind the other, their payloads back to back. At least one.
///
/// Unsafe inside: a view into the batch that lent it. Not being copyable, it cannot stay behind.
@safe
package struct MessageRun: ~Copyable {
    private let nodes: UnsafeBufferPointer<lapse_node>
    private let channel: UnsafeRawBufferPointer
    private let payloads: UnsafeRawBufferPointer

    init(nodes: UnsafeBufferPointer<lapse_node>, channel: lapse_node, bytes: UnsafePointer<UInt8>) {
        unsafe self.nodes = nodes
        unsafe self.channel = UnsafeRawBufferPointer(start: bytes + channel.offset, count: Int(channel.value))
        // Unsafe: there is a first and a last one, and nothing lies between their payloads but payloads.
        let (first, last) = unsafe (nodes[0], nodes[nodes.count - 1])
        unsafe payloads = UnsafeRawBufferPointer(
            start: bytes + first.offset, count: last.offset + Int(last.value) - first.offset)
    }

    /// How many messages there are.
    package var count: Int { unsafe nodes.count }

    /// How many bytes the payload at an index has.
    package func length(at index: Int) -> Int {
        precondition(index >= 0 && index < count)
        // Unsafe: checked against the count above.
        return unsafe Int(nodes[index].value)
    }

    package func withChannel<T>(_ body: (RawSpan) -> T) -> T {
        // Unsafe: the batch outlives the call.
        body(unsafe RawSpan(_unsafeBytes: channel))
    }

    /// All payloads, back to back.
    package func withPayloads<T>(_ body: (RawSpan) -> T) -> T {
        // Unsafe: the batch outlives the call.
        body(unsafe RawSpan(_unsafeBytes: payloads))
    }

    /// Each payload, in order.
    package func forEachPayload(_ body: (RawSpan) -> Void) {
        var offset = 0
        for index in 0..<count {
            let end = offset + length(at: index)
            // Unsafe: the lengths add up to the payloads, and the batch outlives the call.
            body(unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: payloads[offset..<end])))
            offset = end
        }
    }

    /// The payloads that begin with these bytes: where hardly one does, this costs hardly anything.
    package func forEachPayload(beginningWith prefix: [UInt8], _ body: (RawSpan) -> Void) {
        guard let first = prefix.first else { return forEachPayload(body) }
        var offset = 0
        for index in 0..<count {
            let end = offset + length(at: index)
            if end - offset >= prefix.count, unsafe payloads[offset] == first {
                // Unsafe: as above.
                let payload = unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: payloads[offset..<end]))
                if payload.starts(with: prefix) { body(payload) }
            }
            offset = end
        }
    }
}
