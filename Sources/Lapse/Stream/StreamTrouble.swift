import RESP
import RedisClient

/// A partition takes nothing now: what belongs there waits, and this was no attempt.
struct StreamUnavailable: Error, CustomStringConvertible, AdvisesOnAttempts {
    let partition: String
    let reason: String
    let wait: Duration
    /// Whether another partition may take what belongs there.
    let others: Bool

    var description: String { "\(partition) cannot be appended to: \(reason)" }
    var anotherAttempt: AnotherAttempt { .whenPossible(after: wait, others: others) }
}

extension RedisError {
    /// Whether the call was waited for, and not refused at once.
    var tookItsTime: Bool {
        switch kind {
        case .reply(let reply): Redirection(reply) != .none
        case .denied, .tls, .protocolViolation: false
        case .unreachable, .closed, .timeout, .noNode, .otherServer: true
        }
    }

    /// What mends a stream that cannot be written.
    func fix(forStream key: String) -> String {
        guard case .reply(let reply) = kind else {
            return isPermanent
                ? "'lapse doctor --acl --stream KEY' prints the rights needed" : "see that this server can be reached"
        }
        if text.contains("WRONGTYPE") { return "name another key by --stream, or delete \(key)" }
        if text.contains("NOPERM") || text.contains("permission") || text.contains("can't run this command") {
            return "'lapse doctor --acl --stream KEY' prints the rights needed"
        }
        if text.contains("OOM") { return "raise maxmemory, or bound the stream by --stream-maxlen" }
        if text.contains("MISCONF") { return "mend what keeps this server from saving" }
        if text.contains("NOREPLICAS") { return "see that its replicas follow, or lower --stream-wait" }
        return "see what this server says about \(reply.code)"
    }
}
