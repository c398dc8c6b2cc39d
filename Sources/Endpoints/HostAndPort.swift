/// `host`, `host:port`, `[IPv6]` or `[IPv6]:port`, as it stands in a URL: of Redis and of every store.
package struct HostAndPort: Equatable, Sendable {
    /// An IPv6 address without its brackets.
    package let host: String
    package let port: Int?

    /// The error says what is wrong and repeats nothing: a URL with a mistake has its password anywhere.
    package init(_ text: Substring) throws(URLMistake) {
        let host: Substring
        var port: Substring?
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else {
                throw URLMistake("an IPv6 address stands in brackets, as in [::1]:port: the ']' is missing")
            }
            host = text[text.index(after: text.startIndex)..<end]
            let tail = text[text.index(after: end)...]
            guard tail.isEmpty || tail.hasPrefix(":") else { throw URLMistake("behind ']' stands :port or nothing") }
            port = tail.isEmpty ? nil : tail.dropFirst()
        } else {
            let colon = text.firstIndex(of: ":") ?? text.endIndex
            host = text[..<colon]
            port = colon < text.endIndex ? text[text.index(after: colon)...] : nil
            guard port?.contains(":") != true else {
                throw URLMistake("an IPv6 address stands in brackets, as in [::1]:port")
            }
        }
        guard !host.isEmpty else { throw URLMistake("a host is missing: write host:port") }
        guard !host.contains(where: { $0.isWhitespace || "[]".contains($0) }) else {
            throw URLMistake("a host has a space or a bracket in it")
        }
        self.host = String(host)
        self.port = try port.map { digits throws(URLMistake) in
            // Digits only: Int would also take "+80".
            guard digits.allSatisfy({ $0.isASCII && $0.isNumber }), let number = Int(digits),
                (1...65535).contains(number)
            else { throw URLMistake("the port is a number of 1 to 65535") }
            return number
        }
    }
}

extension String {
    /// Decodes `%40` and the like, with which a part of a URL may hold any character.
    ///
    /// - Parameter what: the part, for the error.
    package init(percentEncoded text: Substring, _ what: String) throws(URLMistake) {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let pair = String(decoding: rest.prefix(2), as: UTF8.self)
            guard pair.utf8.count == 2, pair.allSatisfy(\.isHexDigit), let value = UInt8(pair, radix: 16) else {
                throw URLMistake("a '%' in the \(what) is written %25")
            }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw URLMistake("the \(what) is UTF-8") }
        self = text
    }
}

/// Why a part of a URL cannot be used, with the fix.
package struct URLMistake: Error, Equatable, CustomStringConvertible {
    package let description: String
    init(_ description: String) { self.description = description }
}
