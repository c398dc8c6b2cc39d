package import Endpoints

/// What every connection of one kind shares: credentials, encryption, and how long to wait.
package struct ConnectionSettings: Sendable {
    package var credentials: Credentials?
    package var tls: TLSSettings?
    /// `CLIENT SETNAME`; characters that Redis refuses become `-`.
    package var clientName: String
    /// Credentials that the server does not take are no error as long as it answers: Sentinels often have
    /// none.
    package var mayBeOpen = false
    package var database = 0
    package var connectTimeout: Duration = .seconds(2)
    /// The longest a command may take.
    package var commandTimeout: Duration = .seconds(2)
    /// Largest reply accepted, in bytes.
    package var replyBytes = 64 << 20

    package init(clientName: String, credentials: Credentials? = nil, tls: TLSSettings? = nil) {
        self.clientName = String(
            String.UnicodeScalarView(clientName.unicodeScalars.map { (33...126).contains($0.value) ? $0 : "-" }))
        self.credentials = credentials
        self.tls = tls
    }

    /// The settings for one of several independent servers: the credentials of its own URL.
    ///
    /// Those of the servers are given to it only when it runs on one of their hosts, and not in plain text
    /// when they use TLS: a password is for those whom it was given for. A URL with a user alone takes that
    /// password, or is refused.
    package func independent(_ url: RedisURL, of seeds: RedisSeeds) throws(RedisURLError) -> ConnectionSettings {
        guard tls != nil || !url.usesTLS else {
            throw RedisURLError("TLS lock servers need rediss:// in --redis too")
        }
        var copy = self
        let isKnown = seeds.mode != .sentinel && seeds.addresses.contains { $0.host == url.address.host }
        if !isKnown || tls != nil && !url.usesTLS { copy.credentials = nil }
        if let own = url.credentials, own.hasPassword {
            copy.credentials = own
        } else if let user = url.credentials?.user {
            guard let known = copy.credentials, known.hasPassword else {
                throw RedisURLError("a lock server's URL names a user and no password: write user:password@")
            }
            copy.credentials = known.named(user)
        }
        if !url.usesTLS { copy.tls = nil }
        return copy
    }

    package func named(_ clientName: String) -> ConnectionSettings {
        var copy = ConnectionSettings(clientName: clientName, credentials: credentials, tls: tls)
        copy.mayBeOpen = mayBeOpen
        copy.database = database
        copy.connectTimeout = connectTimeout
        copy.commandTimeout = commandTimeout
        copy.replyBytes = replyBytes
        return copy
    }
}
