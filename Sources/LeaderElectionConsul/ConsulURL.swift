import NIOSSL

extension ConsulConfiguration {
    /// Reads `consul://host:8500[,host:8500…]/prefix`, or `consul+tls://` for TLS. `password` is an ACL token, the
    /// TLS options are PEM files. The error repeats nothing of the URL: one with a mistake has its secret anywhere.
    package init(
        url: String, password: String? = nil, tlsCA: String? = nil, tlsCert: String? = nil, tlsKey: String? = nil
    ) throws(ConsulConfigurationError) {
        let usesTLS: Bool
        let rest: Substring
        if url.lowercased().hasPrefix("consul://") {
            (usesTLS, rest) = (false, url.dropFirst("consul://".count))
        } else if url.lowercased().hasPrefix("consul+tls://") {
            (usesTLS, rest) = (true, url.dropFirst("consul+tls://".count))
        } else {
            throw ConsulConfigurationError("a Consul URL starts with consul:// or consul+tls://")
        }
        if rest.contains("@") {
            throw ConsulConfigurationError(
                "Consul knows tokens, not users: leave out what stands before '@' and give the token in a file")
        }
        if rest.contains(where: { "?#%".contains($0) }) {
            throw ConsulConfigurationError("a Consul URL is consul://host:8500/prefix, without '?', '#' or '%'")
        }
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        self.init()
        agents = try rest[..<slash].split(separator: ",", omittingEmptySubsequences: false)
            .map { agent throws(ConsulConfigurationError) in
                try Self.agent(agent, defaultPort: usesTLS ? 8501 : 8500)
            }
        let path = rest[slash...].split(separator: "/")
        if path.contains(where: { $0 == "." || $0 == ".." }) {
            throw ConsulConfigurationError("the prefix of a Consul URL has no '.' and no '..' between its slashes")
        }
        if !path.isEmpty { prefix = path.joined(separator: "/") }
        if let password {
            token = ConsulToken(password)
            if token?.reveal.isEmpty != false { throw ConsulConfigurationError("the file of Consul's token is empty") }
        }
        if usesTLS {
            tls = try Self.tls(authority: tlsCA, certificate: tlsCert, key: tlsKey)
        } else if tlsCA != nil || tlsCert != nil || tlsKey != nil {
            throw ConsulConfigurationError(
                "there are TLS files for Consul, but its URL starts with consul://: write consul+tls://")
        }
    }

    private static func agent(_ text: Substring, defaultPort: Int) throws(ConsulConfigurationError) -> Agent {
        var host = text
        var port: Substring?
        if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
            host = text[text.index(after: text.startIndex)..<end]
            let tail = text[text.index(after: end)...]
            guard tail.isEmpty || tail.hasPrefix(":") else {
                throw ConsulConfigurationError("behind the ']' of a Consul agent's address stands :port or nothing")
            }
            port = tail.isEmpty ? nil : tail.dropFirst()
        } else if let colon = text.firstIndex(of: ":") {
            host = text[..<colon]
            port = text[text.index(after: colon)...]
            if port?.contains(":") == true {
                throw ConsulConfigurationError("an IPv6 address stands in brackets, as in consul://[::1]:8500/prefix")
            }
        }
        guard !host.isEmpty else {
            throw ConsulConfigurationError("a Consul URL names its agent: consul://host:8500/prefix")
        }
        guard let port else { return Agent(host: String(host), port: defaultPort) }
        guard let number = Int(port), (1...65535).contains(number) else {
            throw ConsulConfigurationError("the port of a Consul agent is a number of 1 to 65535")
        }
        return Agent(host: String(host), port: number)
    }

    private static func tls(
        authority: String?, certificate: String?, key: String?
    ) throws(ConsulConfigurationError) -> TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        if let authority {
            configuration.trustRoots = .certificates(
                try read(authority, "authority") { try NIOSSLCertificate.fromPEMFile($0) })
        }
        switch (certificate, key) {
        case (let certificate?, let key?):
            let chain = try read(certificate, "client certificate") { try NIOSSLCertificate.fromPEMFile($0) }
            configuration.certificateChain = chain.map { .certificate($0) }
            configuration.privateKey = .privateKey(
                try read(key, "client key") { try NIOSSLPrivateKey(file: $0, format: .pem) })
        case (nil, nil): break
        default:
            throw ConsulConfigurationError(
                "a client certificate for Consul and its key belong together: give both or none")
        }
        return configuration
    }

    private static func read<Value>(
        _ file: String, _ what: String, _ body: (String) throws -> Value
    ) throws(ConsulConfigurationError) -> Value {
        do { return try body(file) } catch {
            throw ConsulConfigurationError("the \(what) for Consul, \(file), cannot be read as PEM")
        }
    }
}
