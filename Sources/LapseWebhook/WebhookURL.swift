import FoundationEssentials

/// Where webhooks go: `https://host/path`, or `http://` within a network that is trusted.
package struct WebhookURL: Sendable, Equatable {
    package struct Malformed: Error, Equatable, CustomStringConvertible {
        package let description: String
    }

    let text: String
    /// Host and port: what may be shown. A path or a query may hold a secret.
    package let authority: String
    package let isEncrypted: Bool

    package init(parsing text: String) throws(Malformed) {
        guard let url = URL(string: text), let scheme = url.scheme?.lowercased(), let host = url.host(), !host.isEmpty
        else { throw Malformed(description: "is no URL: write https://HOST/PATH") }
        guard scheme == "https" || scheme == "http" else {
            throw Malformed(description: "is no URL for HTTP: write https://HOST/PATH")
        }
        guard url.user() == nil, url.password() == nil else {
            throw Malformed(description: "names a user: sign with --webhook-secret-file instead")
        }
        guard url.fragment() == nil else { throw Malformed(description: "has a fragment, which no server gets") }
        self.text = text
        isEncrypted = scheme == "https"
        authority = host + (url.port.map { ":\($0)" } ?? "")
    }
}
