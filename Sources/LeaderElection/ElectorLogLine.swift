import Logging

/// What the elector writes to the log. Writing happens on the cooperative pool, never on the elector's
/// own thread: a log that is read slowly must not cost the lease.
enum ElectorLogLine: Sendable {
    case becameLeader(LeaseMachine.TermInfo)
    case renewed(took: Duration)
    case ended(term: UInt64, TermEnd)
    case bodyFailed(term: UInt64, String)
    case note(LeaseMachine.Note)
    /// What the registers said that did not grant it, by their labels.
    case renewalFailed([String])
    case registerLost(String, reason: String)
    case registerBack(String)

    private static func text(_ reasons: [String]) -> String {
        reasons.isEmpty ? "no majority has answered in time" : reasons.joined(separator: "; ")
    }

    func write(to logger: Logger) {
        switch self {
        case .becameLeader(let info):
            logger.info(
                "became leader",
                metadata: [
                    "term": .stringConvertible(info.term), "token": .stringConvertible(info.token.rawValue),
                    "tookMs": .stringConvertible(info.took.microseconds / 1000),
                ])
        case .renewed(let took):
            logger.debug("lease renewed", metadata: ["tookMs": .stringConvertible(took.microseconds / 1000)])
        case .ended(let term, let reason) where reason.isLoss:
            logger.warning(
                "leadership lost", metadata: ["term": .stringConvertible(term), "reason": "\(reason.rawValue)"])
        case .ended(let term, let reason):
            logger.info("term ended", metadata: ["term": .stringConvertible(term), "reason": "\(reason.rawValue)"])
        case .bodyFailed(let term, let error):
            logger.error(
                "the work of the leader failed", metadata: ["term": .stringConvertible(term), "error": "\(error)"])
        case .note(.suspect): break
        case .renewalFailed(let reasons):
            logger.warning(
                "renewal failed, the lease still holds",
                metadata: ["reason": "\(Self.text(reasons))"])
        case .registerLost(let register, let reason):
            logger.warning("register lost", metadata: ["register": "\(register)", "reason": "\(reason)"])
        case .registerBack(let register):
            logger.notice("register holds the vote again", metadata: ["register": "\(register)"])
        case .note(.recovered):
            logger.info("renewal succeeded again")
        case .note(.following(let leader)):
            logger.info("following", metadata: ["leader": "\(leader)"])
        case .note(.waiting(let reason)):
            logger.notice("no leader yet", metadata: ["reason": "\(reason)"])
        case .note(.refused(let reason)):
            logger.error("not campaigning", metadata: ["reason": "\(reason)"])
        case .note(.released):
            logger.info("leadership released")
        case .note(.overran(let term)):
            logger.critical("the work of the leader ran past its lease", metadata: ["term": .stringConvertible(term)])
        }
    }
}
