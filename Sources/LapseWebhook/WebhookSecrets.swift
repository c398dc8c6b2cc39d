import Crypto
package import Endpoints
import FoundationEssentials

/// Signs webhooks as Standard Webhooks asks for: HMAC-SHA256 over `id.timestamp.body`, one signature for each secret, so that a secret
/// can be replaced without a pause.
///
/// Source: the specification of Standard Webhooks, section "Signature scheme".
package struct WebhookSecrets: Sendable {
    package struct Unusable: Error, CustomStringConvertible {
        package let description: String
    }

    private let files: [SecretFile]

    /// - Parameter files: each with `whsec_` and the secret in base64, 24 to 64 bytes of it; the newest first. They are read again when
    ///   they have changed.
    package init(_ files: [SecretFile]) throws(Unusable) {
        self.files = files
        for file in files where Self.key(file) == nil {
            throw Unusable(description: "\(file.path) holds no secret: write whsec_ and 24 to 64 bytes in base64")
        }
    }

    /// The header's value; nil without secrets.
    func signature(id: String, timestamp: Int64, body: [UInt8]) -> String? {
        let signatures = files.compactMap(Self.key).map { key in
            var code = HMAC<SHA256>(key: key)
            code.update(data: Array("\(id).\(timestamp).".utf8))
            code.update(data: body)
            return "v1," + Data(code.finalize()).base64EncodedString()
        }
        return signatures.isEmpty ? nil : signatures.joined(separator: " ")
    }

    private static func key(_ file: SecretFile) -> SymmetricKey? {
        let text = file.current.reveal
        guard text.hasPrefix("whsec_"), let bytes = Data(base64Encoded: String(text.dropFirst("whsec_".count))),
            (24...64).contains(bytes.count)
        else { return nil }
        return SymmetricKey(data: bytes)
    }
}
