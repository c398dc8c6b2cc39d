import Lapse
import RedisClient

/// `notify-keyspace-events` announces expirations on every node: a replica takes over with its own
/// setting.
struct NotificationsCheck: Check {
    func findings(_ facts: DeploymentFacts) -> [DoctorFinding] {
        let needs = facts.wantsHints ? "Exg" : "Ex"
        return facts.answering.filter { !$0.isLockServer }.compactMap { node in
            switch node.settings {
            case .forbidden(let text):
                return unknown(
                    node, "Lapse may not read notify-keyspace-events",
                    "The server says: \(text). With --notifications off Lapse does not ask.",
                    fix: facts.command(on: node.address, "ACL", "SETUSER", facts.user, "+config|get"))
            case .renamed:
                return unknown(
                    node, "CONFIG is not available", "It has been renamed away, as managed services do.",
                    fix:
                        "set notify-keyspace-events to \(needs) in the service's settings, then run with --notifications off"
                )
            case .withheld(let text):
                return unknown(
                    node, "CONFIG does not tell notify-keyspace-events", "The server says: \(text).",
                    fix: "set notify-keyspace-events to \(needs) on the server, then run with --notifications off")
            case .unknown: return nil
            case .read: return missing(node, facts)
            }
        }
    }

    private func unknown(_ node: NodeFacts, _ title: String, _ detail: String, fix: String) -> DoctorFinding {
        DoctorFinding(
            .warns, "notifications", at: node.address, title,
            "\(detail) Whether expirations are announced cannot be told.", fix: fix)
    }

    private func missing(_ node: NodeFacts, _ facts: DeploymentFacts) -> DoctorFinding? {
        let flags = node.notifications ?? ""
        let fix = facts.command(
            on: node.address, "CONFIG", "SET", "notify-keyspace-events",
            Notifications.merged(flags, withHints: facts.wantsHints))
        if Notifications.suffice(flags) {
            guard !Notifications.suffice(flags, withHints: facts.wantsHints) else { return nil }
            return DoctorFinding(
                .warns, "notifications", at: node.address, "TTLs that are set are not announced",
                "notify-keyspace-events is \"\(flags)\"; --punctual track needs g too. Until then Lapse sweeps here, and finds "
                    + "deadlines as late as a sweep takes. \(Self.lasting)", fix: fix)
        }
        let effect =
            node.role == .master
            ? "Every expiration here is lost." : "Once promoted, it announces nothing: every expiration there is lost."
        return DoctorFinding(
            .breaks, "notifications", at: node.address, "expirations are not announced",
            "notify-keyspace-events is \"\(flags)\"; it needs E and x\(facts.wantsHints ? ", and g for --punctual track" : ""). "
                + "\(effect) \(Self.lasting)", fix: fix)
    }

    private static let lasting =
        "CONFIG SET does not survive a restart: follow it with CONFIG REWRITE, or put it in redis.conf."
}
