package import NIOCore
import RESP

/// The ID of an entry of a Redis stream: `<milliseconds>-<number>`, the time by the server's clock.
package struct StreamID: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Since 1970.
    package let milliseconds: UInt64
    /// Among those of the same millisecond.
    package let number: UInt64

    package static let zero = StreamID(milliseconds: 0, number: 0)

    package init(milliseconds: UInt64, number: UInt64 = 0) {
        self.milliseconds = milliseconds
        self.number = number
    }

    /// Nil for a text that is no complete ID.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        // `UInt64` would take a plus sign.
        guard parts.count == 2, parts.allSatisfy({ $0.utf8.allSatisfy { (48...57).contains($0) } }),
            let milliseconds = UInt64(parts[0]), let number = UInt64(parts[1])
        else { return nil }
        self.init(milliseconds: milliseconds, number: number)
    }

    /// The same of bytes.
    package init?(_ text: ByteBuffer) {
        let view = text.readableBytesView
        guard let dash = view.firstIndex(of: UInt8(ascii: "-")),
            let milliseconds = PlausibleCount.number(view[..<dash]),
            let number = PlausibleCount.number(view[view.index(after: dash)...])
        else { return nil }
        self.init(milliseconds: milliseconds, number: number)
    }

    package var description: String { "\(milliseconds)-\(number)" }

    package static func < (left: StreamID, right: StreamID) -> Bool {
        (left.milliseconds, left.number) < (right.milliseconds, right.number)
    }
}
