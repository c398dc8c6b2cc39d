/// What of a key stands in log lines, on the page of the admin port and in status. Handlers, dead
/// letters and sinks get the whole key in any case.
public enum KeyDisclosure: String, Sendable, Hashable, CaseIterable {
    /// The key, cut after 1 KiB with its length behind it.
    case full
    /// The first 16 digits of its SHA-256: one key can be found again, and is not told. A guess of the key
    /// can be checked.
    case hash
    /// Nothing.
    case off

    /// The longest key that is shown whole, in bytes.
    static let limitBytes = 1024

    /// The one place that decides.
    package func text(_ key: [UInt8]) -> String {
        switch self {
        case .full:
            let text = String(decoding: key.prefix(Self.limitBytes), as: UTF8.self)
            return key.count <= Self.limitBytes ? text : "\(text)… (\(key.count) bytes)"
        case .hash:
            return "sha256:" + SHA256.digest(of: key).prefix(8).map { Self.hex($0) }.joined()
        case .off: return "-"
        }
    }

    package func text(_ key: ExpirationKey) -> String { text(key.bytes) }

    /// Whether a key stands as it is: nothing is to be hidden or cut.
    package func isWhole(_ key: RawSpan) -> Bool { self == .full && key.byteCount <= Self.limitBytes }

    private static func hex(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16) }
}
