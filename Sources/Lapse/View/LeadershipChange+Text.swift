import LeaderElection

extension LeadershipChange {
    /// For an onlooker; nil for what is of no interest by itself.
    var onlookersText: String? {
        switch self {
        case .leading(let term, _): "leads: term \(term)"
        case .ended(let term, let reason): "term \(term) has ended: \(reason.rawValue)"
        case .following(let leader): "follows \(leader)"
        case .suspect: "a renewal failed"
        case .recovered: "renewed again"
        case .refused(let reason): "does not campaign: \(reason)"
        case .waiting(let reason): "no replica can lead: \(reason)"
        case .overran(let term): "a handler ran on past the end of term \(term)"
        case .released, .stopped: nil
        }
    }
}
