import LeaderElection
import LeaderElectionRedis

/// The user may do what Lapse does.
struct PermissionsCheck: Check {
    func findings(_ facts: DeploymentFacts) -> [DoctorFinding] {
        facts.answering.flatMap { node in node.refusals.map { finding($0, node, facts) } } + untried(facts)
            + unknownLetters(facts)
    }

    /// Before Redis 7.0 no script can ask for rights: that the key may not be looked at is all that tells.
    private func unknownLetters(_ facts: DeploymentFacts) -> [DoctorFinding] {
        guard let text = facts.deadLetterRefusal, !facts.isRefused(.deadLetters) else { return [] }
        return [
            DoctorFinding(
                .warns, "permissions", "no right to the key for dead letters",
                "Refused: \(text). Whether letters can be written there cannot be told; if not, what no attempt can handle "
                    + "will be in the log alone.",
                fix: "give the user what lapse doctor --acl --dead-letter prints")
        ]
    }

    /// A server older than Redis 7.0 tells no script what it may run: writing and companions cannot be
    /// tried there without doing it.
    private func untried(_ facts: DeploymentFacts) -> [DoctorFinding] {
        let old = facts.answering.compactMap { node in
            ServerVersion(node).flatMap { $0.product == .redis && $0.major < 7 ? (node, $0) : nil }
        }
        // `default` may do everything unless it was restricted.
        guard facts.user != "default", let (node, version) = old.first else { return [] }
        return [
            DoctorFinding(
                .notes, "permissions", at: node.address, "not every right was tried",
                """
                \(version.name) does not tell a script what it may run. What Lapse reads was tried; what it writes, companions, the \
                stream, dead letters and the questions of --punctual were not: compare the user with what lapse doctor --acl prints.
                """)
        ]
    }

    private func finding(_ refusal: Refusal, _ node: NodeFacts, _ facts: DeploymentFacts) -> DoctorFinding {
        let control = ElectionKeys.channel(facts.name)
        let (title, effect, rights): (String, String, String) =
            switch refusal.right {
            case .info:
                (
                    "no right to INFO", "Without it expirations cannot be numbered, and the server's age is unknown.",
                    "+info"
                )
            case .events:
                (
                    "no right to subscribe to expired events", "Nothing this server announces is heard.",
                    "+subscribe \(AccessRights.eventChannels)"
                )
            case .control:
                (
                    "no right to subscribe to the channel \(control)",
                    "Expirations cannot be numbered, so gaps go unseen, and hand-overs wait for the lease to run out.",
                    "+subscribe \(AccessRights.controlChannel(facts.name))"
                )
            case .marks:
                (
                    "no right to mark the stream", "Expirations cannot be numbered, so gaps go unseen.",
                    "+multi +info +publish +exec \(AccessRights.controlChannel(facts.name))"
                )
            case .topology:
                ("no right to CLUSTER NODES", "A failover or a move of slots goes unseen.", "+cluster|nodes")
            case .registers:
                (
                    "no right to all the lease needs", "No replica can lead, or progress is not kept.",
                    ([AccessRights.keyPattern(facts.name), AccessRights.controlChannel(facts.name)]
                        + AccessRights.scriptCommands).joined(separator: " ")
                )
            case .companions:
                (
                    "no right to the companions",
                    "Expirations are handled without their values, and what Redis forgot is not found.",
                    (facts.rights.companionPatterns + ["+get", "+del"] + facts.rights.companionCommands)
                        .joined(separator: " ")
                )
            case .appending:
                (
                    "no right to the stream", "Expirations cannot be appended, and wait in the logs.",
                    (facts.rights.streamPatterns + AccessRights.streamCommands + [
                        "+hget", "+hset", "+hdel", "+pexpire",
                    ])
                    .joined(separator: " ")
                )
            case .deadLetters:
                (
                    "no right to the stream for dead letters", "What no attempt can handle is in the log alone.",
                    (facts.rights.deadLetterPatterns + AccessRights.deadLetterCommands).joined(separator: " ")
                )
            case .hints:
                (
                    "no right to hear what sets TTLs",
                    "--punctual track finds deadlines only as late as a sweep takes.",
                    (["+subscribe"] + AccessRights.hintChannels).joined(separator: " ")
                )
            case .punctuality:
                (
                    "no right to be punctual", "Expirations come when Redis finds them, as without --punctual.",
                    (facts.rights.punctualPatterns + ["+pttl"] + facts.rights.punctualCommands)
                        .joined(separator: " ")
                )
            }
        return DoctorFinding(
            refusal.right.isDispensable ? .warns : .breaks, "permissions", at: node.address, title,
            "Refused: \(refusal.text). \(effect) Rights are kept per server: grant them on every one. "
                + "A pattern beside one for all (\"Adding a pattern after the * pattern\") is not needed.",
            fix: commands(rights.split(separator: " ").map(String.init), on: node, facts))
    }

    /// Redis refuses a pattern to a user that has all keys or channels, and with it all else that the
    /// command grants: commands, keys and channels are granted apart.
    private func commands(_ rights: [String], on node: NodeFacts, _ facts: DeploymentFacts) -> String {
        let groups = [rights.filter { $0.hasPrefix("+") }] + rights.filter { !$0.hasPrefix("+") }.map { [$0] }
        return groups.filter { !$0.isEmpty }
            .map { facts.command(on: node.address, words: ["ACL", "SETUSER", facts.user] + $0) }
            .joined(separator: "; ")
    }
}
