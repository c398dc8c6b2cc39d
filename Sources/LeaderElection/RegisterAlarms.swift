/// Which registers a leader has to tell of: one that has not held the vote at two renewals, and the
/// same one once it holds it again. A pure value; one of a term.
struct RegisterAlarms: Sendable {
    enum Step: Sendable, Equatable {
        case lost(index: Int, reason: String)
        case back(index: Int)
    }

    /// At how many renewals in a row each has not held the vote.
    private var missing: [Int: Int] = [:]
    /// One that is lost for a moment is healed by the next renewal.
    private static let patience = 2

    /// After a renewal that the majority has granted.
    mutating func renewed(_ registers: [RegisterState]) -> [Step] {
        var steps: [Step] = []
        for (index, state) in registers.enumerated() {
            guard let reason = state.trouble else {
                if missing.removeValue(forKey: index) ?? 0 >= Self.patience { steps.append(.back(index: index)) }
                continue
            }
            missing[index, default: 0] += 1
            if missing[index] == Self.patience { steps.append(.lost(index: index, reason: reason)) }
        }
        return steps
    }
}

extension RegisterState {
    /// Why it does not hold the vote; nil when it does, or has not been asked.
    var trouble: String? {
        switch self {
        case .ok, .unknown: nil
        case .lost: "it holds this replica's claim no more"
        case .unreachable(let error): error.description
        }
    }
}
