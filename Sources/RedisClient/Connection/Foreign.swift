package import NIOCore

/// What something that is no Redis says of itself, for the error about it.
package enum Foreign {
    /// The first line, as far as it is text: at most 80 characters.
    package static func words(_ bytes: ByteBuffer) -> String? {
        let line = bytes.readableBytesView.prefix(400).prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
        // Letters and spaces alone: nothing of it may steer a terminal, and a binary protocol says nothing to
        // people.
        guard line.count >= 4, line.allSatisfy({ (0x20..<0x7F).contains($0) }) else { return nil }
        let text = String(decoding: line.prefix(80), as: UTF8.self)
        return text.hasPrefix("HTTP/") ? text + " (an HTTP server)" : text
    }
}
