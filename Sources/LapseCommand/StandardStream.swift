import Glibc

/// Standard output and standard error, for short texts: each is one write, so that lines of many threads stay whole.
enum StandardStream: Int32, Sendable {
    /// Results.
    case output = 1
    /// Errors and logs. What cannot be written there cannot be told anywhere.
    case errors = 2

    /// Returns false when nobody reads it any more.
    @discardableResult
    func write(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(rawValue, $0.baseAddress, $0.count) }
            if count > 0 { rest = rest.dropFirst(count) } else if errno != EINTR { return false }
        }
        return true
    }

    /// Writes text and a newline.
    @discardableResult
    func write(_ text: String) -> Bool { write(Array(text.utf8) + [UInt8(ascii: "\n")]) }
}
