/// Where the admin port listens, as `--admin` gives it: `HOST:PORT`, `[IPv6]:PORT`, or not at all.
package enum AdminAddress: Sendable, Hashable {
    case off
    case listen(host: String, port: Int)

    /// Says in one line what was wrong and what would be right.
    package struct Malformed: Error, Hashable, CustomStringConvertible {
        package let text: String
        package let reason: String

        package var description: String {
            "admin address '\(text)': \(reason); expected HOST:PORT, [IPv6]:PORT or off"
        }
    }

    package init(parsing text: String) throws(Malformed) {
        if text == "off" {
            self = .off
            return
        }
        guard let colon = text.lastIndex(of: ":") else { throw Malformed(text: text, reason: "the port is missing") }
        var host = text[..<colon]
        let digits = text[text.index(after: colon)...]
        guard !host.contains(where: { $0.isWhitespace || $0 == "/" }) else {
            throw Malformed(text: text, reason: "'\(host)' is no host")
        }
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
            guard host.contains(":") else {
                throw Malformed(text: text, reason: "'\(host)' in brackets is no IPv6 address")
            }
        } else if host.contains("[") || digits.contains("]") {
            throw Malformed(text: text, reason: "the port is missing or the brackets do not match")
        } else if host.contains(":") {
            // "::1:9464" could mean either of two addresses.
            throw Malformed(text: text, reason: "an IPv6 address needs brackets")
        }
        guard !host.isEmpty else { throw Malformed(text: text, reason: "the host is missing") }
        // Digits only: Int would also take "+9464".
        guard digits.allSatisfy({ $0.isASCII && $0.isNumber }), let port = UInt16(digits) else {
            throw Malformed(text: text, reason: "'\(digits)' is no port")
        }
        self = .listen(host: String(host), port: Int(port))
    }
}

extension AdminAddress: CustomStringConvertible {
    package var description: String {
        switch self {
        case .off: "off"
        case .listen(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        }
    }
}
