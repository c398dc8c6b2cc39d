import Endpoints
import LapseWebhook

/// Where webhooks go, and how they are signed.
enum Webhook: OptionGroupTable {
    static let url = Setting<WebhookURL>(
        row: OptionRow(
            name: "webhook", value: "url",
            help: "Instead of --handler: post each expiration to this URL, after Standard Webhooks.", isSecret: true)
    ) { text throws(Malformed) in
        do throws(WebhookURL.Malformed) { return try WebhookURL(parsing: text) } catch {
            throw Malformed(error.description)
        }
    }
    static let secretFile = Setting.text(
        OptionRow(
            name: "webhook-secret-file", arity: .list, value: "file",
            help: "File with a secret that signs them (whsec_…); several while one replaces another."))
    static let authority = Setting.text(
        OptionRow(
            name: "webhook-tls-ca", value: "file", help: "PEM file with the authorities to trust for it.",
            standardHelp: "the system's"))
    static let batch = Setting.number(
        OptionRow(
            name: "webhook-batch", value: "n", help: "Most expirations in one request, as a JSON array.",
            standard: "1"), 1...WebhookBatchHandler.limit)
    static let rows = [url.row, secretFile.row, authority.row, batch.row]
}
