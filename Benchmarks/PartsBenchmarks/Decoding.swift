import Benchmark
import NIOCore
import RESP

/// Bytes to replies: a warm reader allocates nothing.
func decoding() {
    Benchmark("decode_1000_messages", configuration: .counting()) { benchmark in
        let bytes = HeardNode.expirations(1000)
        var reader = ReplyReader()
        try read(bytes, &reader)
        try benchmark.count { try read(bytes, &reader) }
    }
}

private func read(_ bytes: ByteBuffer, _ reader: inout ReplyReader) throws {
    var count = 0
    try reader.read(bytes) { batch in
        batch.forEachPush { kind, _, payload in
            if kind == .message { count += payload.byteCount }
        }
    }
    blackHole(count)
}
