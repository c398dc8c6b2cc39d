import Crypto
package import Endpoints
import FoundationEssentials
import Synchronization

/// Signs webhooks as Standard Webhooks asks for: HMAC-SHA256 over `id.timestamp.body`, one signature
/// for each secret, so that a secret can be replaced without a pause.
///
/// Source: the specification of Standard Webhooks, section "Signature scheme".
package final class WebhookSecrets: Sendable {
    package struct Unusable: Error, CustomStringConvertible {
        package let description: String
    }

    private let files: [SecretFile]
    /// The last usable one of each file, and whether it has been told that what stands there now is none.
    private let keys: Mutex<[(key: SymmetricKey, isTold: Bool)]>
    private let onUnusable: @Sendable (String) -> Void

    /// - Parameters:
    ///   - files: each with `whsec_` and the secret in base64, 24 to 64 bytes of it; the newest first. They
    ///     are read again when they have changed; while one holds no secret, the last one that it held is
    ///     used.
    ///   - onUnusable: told once when a file holds no secret any more.
    package init(_ files: [SecretFile], onUnusable: @escaping @Sendable (String) -> Void = { _ in }) throws(Unusable) {
        var keys: [(key: SymmetricKey, isTold: Bool)] = []
        for file in files {
            guard let key = Self.key(file) else { throw Unusable(description: Self.reason(file)) }
            keys.append((key, false))
        }
        self.files = files
        self.keys = Mutex(keys)
        self.onUnusable = onUnusable
    }

    /// The header's value; nil where no secret was configured.
    func signature(id: String, timestamp: Int64, body: [UInt8]) -> String? {
        guard !files.isEmpty else { return nil }
        return current().map { key in
            var code = HMAC<SHA256>(key: key)
            code.update(data: Array("\(id).\(timestamp).".utf8))
            code.update(data: body)
            return "v1," + Data(code.finalize()).base64EncodedString()
        }.joined(separator: " ")
    }

    private func current() -> [SymmetricKey] {
        let found = files.map(Self.key)
        let (current, unusable) = keys.withLock { keys in
            var unusable: [SecretFile] = []
            for (index, key) in found.enumerated() {
                if let key {
                    keys[index] = (key, false)
                } else if !keys[index].isTold {
                    keys[index].isTold = true
                    unusable.append(files[index])
                }
            }
            return (keys.map(\.key), unusable)
        }
        for file in unusable { onUnusable("\(Self.reason(file)); the last one is used meanwhile") }
        return current
    }

    private static func reason(_ file: SecretFile) -> String {
        "\(file.path) holds no secret: write whsec_ and 24 to 64 bytes in base64"
    }

    private static func key(_ file: SecretFile) -> SymmetricKey? {
        let text = file.current.reveal
        guard text.hasPrefix("whsec_"), let bytes = Data(base64Encoded: String(text.dropFirst("whsec_".count))),
            (24...64).contains(bytes.count)
        else { return nil }
        return SymmetricKey(data: bytes)
    }
}
