package import Endpoints

extension ConsulConfiguration {
    /// Reads `consul://host:8500[,host:8500…]/prefix`, or `consul+tls://` for TLS. `password` is an ACL
    /// token. The error repeats nothing of the URL: one with a mistake has its secret anywhere.
    package init(
        url: String, password: String? = nil, tls files: TLSFiles = TLSFiles()
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
            do { _ = try files.configuration(named: "--store-tls") } catch {
                throw ConsulConfigurationError(error.description)
            }
            tls = files
        } else if !files.isEmpty {
            throw ConsulConfigurationError(
                "there are TLS files for Consul, but its URL starts with consul://: write consul+tls://")
        }
    }

    private static func agent(_ text: Substring, defaultPort: Int) throws(ConsulConfigurationError) -> Agent {
        do {
            let address = try HostAndPort(text)
            return Agent(host: address.host, port: address.port ?? defaultPort)
        } catch {
            throw ConsulConfigurationError("a Consul URL is consul://host:8500/prefix: \(error)")
        }
    }
}
