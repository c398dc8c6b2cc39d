internal import CHiredisReader
package import NIOCore

/// Turns the bytes of one connection into replies, with hiredis as the parser, on the connection's
/// event loop. A warm reader allocates nothing, and what an unusually large reply took is given back.
///
/// Unsafe inside: a C object, created in `init`, freed in `deinit` and never handed out.
@safe
package struct ReplyReader: ~Copyable {
    /// hiredis' cost grows with what it is fed at once, and a batch should stay in the cache.
    private static let sliceBytes = 16 << 10

    private let reader: OpaquePointer

    package init(limits: ReplyLimits = ReplyLimits()) {
        let limits = lapse_reader_limits(
            bulk_bytes: limits.bulkBytes, reply_nodes: limits.values, reply_bytes: limits.replyBytes,
            message_bytes: limits.messageBytes ?? 0)
        // Unsafe: a C object; `deinit` is the only place that frees it.
        guard let reader = unsafe lapse_reader_create(limits) else { fatalError("out of memory") }
        unsafe self.reader = reader
    }

    deinit {
        // Unsafe: no other code has the pointer, and nothing runs after this.
        unsafe lapse_reader_free(reader)
    }

    /// Takes in what has arrived and hands over the replies that it completes, a batch at a time.
    ///
    /// On an error the replies before it have been handed over. The error is final: every later
    /// call throws it again.
    package mutating func read(
        _ buffer: ByteBuffer, _ body: (borrowing ReplyBatch) -> Void
    ) throws(ProtocolError) {
        // Unsafe: the bytes live as long as the closure, and the C side copies what it keeps.
        try unsafe buffer.withUnsafeReadableBytes { (bytes: UnsafeRawBufferPointer) throws(ProtocolError) in
            var rest = unsafe bytes[...]
            repeat {
                // Unsafe: a slice of the above.
                let slice = unsafe UnsafeRawBufferPointer(rebasing: rest.prefix(Self.sliceBytes))
                unsafe rest = rest.dropFirst(slice.count)
                try unsafe take(slice, body)
            } while unsafe !rest.isEmpty
        }
    }

    /// About how many bytes the reader holds between two reads.
    package var footprint: Int {
        // Unsafe: the pointer is ours and alive.
        unsafe lapse_reader_footprint(reader)
    }

    private mutating func take(
        _ slice: UnsafeRawBufferPointer, _ body: (borrowing ReplyBatch) -> Void
    ) throws(ProtocolError) {
        // Unsafe: both pointers are alive, and the count is the slice's own.
        let failed = unsafe lapse_reader_feed(reader, slice.baseAddress, slice.count) != 0
        // Unsafe: the batch points into the reader; it is gone before the reader changes again.
        let batch = unsafe lapse_reader_batch(reader)
        if unsafe batch.reply_count > 0 {
            unsafe body(ReplyBatch(batch))
        }
        // Unsafe: nothing points into the batch any more.
        unsafe lapse_reader_forget(reader)
        if failed {
            // Unsafe: a C string inside the reader, always terminated, copied here.
            throw ProtocolError(reason: unsafe String(cString: lapse_reader_error(reader)))
        }
    }
}
