/// The variables that configure lapse and hold a secret, or name the file of one: the program that it
/// runs has no use for them.
enum SecretVariables {
    private static let files = [
        Connection.passwordFile.row, Connection.sentinelPasswordFile.row, Connection.tlsKey.row,
        Election.storePasswordFile.row, Election.storeKey.row, Webhook.secretFile.row,
        // A file of options may hold every secret of them.
        Connection.config.row,
        // Its path is often the secret.
        Webhook.url.row,
    ]

    static func names(in environment: [String: String]) -> Set<String> {
        // Every row that is never shown: URLs with passwords. One without a login is nothing to hide.
        let urls = OptionCatalog.rows.filter { row in row.isSecret && environment[row.variable]?.contains("@") == true }
        return Set((urls + files).map(\.variable))
    }
}
