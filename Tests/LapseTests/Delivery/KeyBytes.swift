@testable import Lapse

/// Keys of the tests as what the product looks at: bytes that lie elsewhere.
extension KeyFilter {
    // Unsafe in name only: a byte has no padding.
    static func isOwn(_ key: [UInt8]) -> Bool { isOwn(unsafe key.span.bytes) }
}

extension Glob {
    // Unsafe in name only: a byte has no padding.
    func matches(_ text: [UInt8]) -> Bool { matches(unsafe text.span.bytes) }
}
