/// How a throwaway cluster is set up.
package struct ClusterOptions: Sendable {
    package var masters = 3
    package var replicasPerMaster = 1
    /// `cluster-node-timeout`: a dead master is replaced after about twice this.
    package var nodeTimeout = Duration.seconds(2)
    /// What clients are told instead of the address, such as `localhost`.
    package var announcedHostname: String?
    /// What every node has in common; its port is ignored.
    package var server = ServerOptions()

    package init() {}

    var nodeOptions: ServerOptions {
        var options = server
        options.port = nil
        var lines = [
            "cluster-enabled yes", "cluster-config-file nodes.conf",
            "cluster-node-timeout \(nodeTimeout.milliseconds)",
        ]
        if let announcedHostname {
            lines += ["cluster-announce-hostname \(announcedHostname)", "cluster-preferred-endpoint-type hostname"]
        }
        options.extra = lines + server.extra
        return options
    }
}

extension Duration {
    /// Whole milliseconds, as Redis takes them.
    var milliseconds: Int {
        Int(components.seconds) * 1000 + Int(components.attoseconds / 1_000_000_000_000_000)
    }
}
