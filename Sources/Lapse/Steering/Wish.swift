import RESP

/// What an operator wants of a group: kept in the progress hash of every register, so that it takes a
/// right to write there, and outlives the replica that leads.
///
/// The hash is as hostile as all that comes over a socket: what is too long, too old, of the future or
/// of no sense is no wish.
package struct Wish: Sendable, Equatable {
    package enum Kind: String, Sendable, CaseIterable {
        /// The leader of the term with ``Wish/token`` is to hand over.
        case stepDown = "step-down"
        /// Nothing is to be handed out.
        case pause

        /// The field's name in the progress hash.
        package var field: String { "wish:\(rawValue)" }

        init?(field: String) {
            guard let kind = Self.allCases.first(where: { $0.field == field }) else { return nil }
            self = kind
        }
    }

    package var kind: Kind
    /// Tells it from every other wish, and the copies of one on several registers from each other's
    /// leftovers.
    package var nonce: String
    /// Seconds since 1970, by the clock of the register that holds it.
    package var made: UInt64
    package var expires: UInt64
    /// Of the term that is to end; 0 for a pause, which holds on through terms.
    package var token: UInt64
    /// The replica that is to lead next; nil for any.
    package var target: String?
    /// The operator who asked, in their own words: for the log.
    package var author: String

    /// No wish lasts longer, in seconds.
    package static let longest: UInt64 = 7 * 86_400
    /// The longest text of a wish that is looked at, in bytes.
    private static let limitBytes = 2048
    package static let nonceLength = 32

    package init(
        _ kind: Kind, nonce: String, made: UInt64, expires: UInt64, token: UInt64 = 0, target: String? = nil,
        author: String
    ) {
        (self.kind, self.nonce, self.made, self.expires) = (kind, nonce, made, expires)
        (self.token, self.target, self.author) = (token, target, author)
    }

    /// `v1 nonce made expires token target author`; the last two escaped, `-` for no target.
    package var text: String {
        "v1 \(nonce) \(made) \(expires) \(token) \(target.map(EscapedWord.escape) ?? "-") \(EscapedWord.escape(author))"
    }

    /// Nil for what no build of this format wrote.
    package init?(_ kind: Kind, text: String) {
        guard text.utf8.count <= Self.limitBytes else { return nil }
        let parts = text.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 7, parts[0] == "v1", Self.isNonce(parts[1]), let made = PlausibleCount.read(parts[2]),
            let expires = PlausibleCount.read(parts[3]), expires >= made, expires - made <= Self.longest,
            let token = PlausibleCount.read(parts[4]), let author = EscapedWord.read(parts[6]),
            author.utf8.count <= Self.authorLimit, author.unicodeScalars.allSatisfy(Self.isPrintable)
        else { return nil }
        var target: String?
        if parts[5] != "-" {
            guard let named = EscapedWord.read(parts[5]), !named.isEmpty, named.utf8.count <= 255 else { return nil }
            target = named
        }
        self.init(
            kind, nonce: String(parts[1]), made: made, expires: expires, token: token, target: target, author: author)
    }

    package static let authorLimit = 128

    /// An author as a wish may have it: a longer one is none to those that read it.
    package static func fitting(_ author: String) -> String {
        // What is cut has the mark of it behind.
        author.utf8.count <= authorLimit ? author : author.cut(toBytes: authorLimit - "…".utf8.count)
    }

    /// The author stands in log lines, in `/readyz` and on terminals.
    package static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: false
        default: true
        }
    }

    static func isNonce(_ text: Substring) -> Bool {
        text.utf8.count == nonceLength && text.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
    }
}

/// A word without blanks: bytes that are no letters, digits or `._:@#-` stand as `%` and two digits.
enum EscapedWord {
    static func escape(_ text: String) -> String {
        var escaped = ""
        for byte in text.utf8 {
            if isPlain(byte) {
                escaped.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                escaped += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }
        }
        // A lone dash means that there is no word.
        return escaped == "-" ? "%2d" : escaped
    }

    /// Nil for what was not escaped, or is no UTF-8.
    static func read(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%") {
                let digits = rest.prefix(2)
                guard digits.count == 2, let value = UInt8(Substring(digits), radix: 16) else { return nil }
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                guard isPlain(byte) else { return nil }
                bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: ":"),
            UInt8(ascii: "@"), UInt8(ascii: "#"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
