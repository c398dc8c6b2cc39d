/// The two keys of an election. A session that leads holds the locks of both.
///
/// One would do, if no operator ever deleted a key by hand: Consul gives no lock delay to the lock of a
/// deleted key. With two, the other one still keeps rivals out until the old leader's session is gone,
/// and Consul's delay after it.
struct ConsulKeys: Sendable, Hashable {
    let folder: String

    init(prefix: String, name: String) {
        folder = "\(prefix)/\(Self.escaped(name))/"
    }

    /// Holds the claim.
    var lock: String { folder + "lock" }
    /// Holds the last term and its token; outlives every claim.
    var term: String { folder + "term" }

    /// A name as one part of a key, whatever is in it: no slash, no `.` and `..`, which HTTP would resolve.
    private static func escaped(_ name: String) -> String {
        let dots = name.allSatisfy { $0 == "." }
        return name.utf8.map { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                String(UnicodeScalar(byte))
            case UInt8(ascii: ".") where !dots: "."
            default: "=" + hexadecimal(byte)
            }
        }.joined()
    }
}

/// A text as a part of a URL's path; slashes stay.
func percentEncoded(_ text: String) -> String {
    text.utf8.map { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
            UInt8(ascii: "~"), UInt8(ascii: "/"):
            String(UnicodeScalar(byte))
        default: "%" + hexadecimal(byte)
        }
    }.joined()
}

private func hexadecimal(_ byte: UInt8) -> String {
    (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
}
