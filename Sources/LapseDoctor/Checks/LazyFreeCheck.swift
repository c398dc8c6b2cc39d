import Lapse

/// A key that expires because it is asked for is freed before the answer, unless the server may do that
/// later: a value of a million elements holds up every client, and every other nudge.
struct LazyFreeCheck: Check {
    func findings(_ facts: DeploymentFacts) -> [DoctorFinding] {
        guard facts.rights.punctual != .off else { return [] }
        return facts.answering.filter(\.isDataMaster).compactMap { node in
            guard node.setting("lazyfree-lazy-expire") == "no" else { return nil }
            return DoctorFinding(
                .notes, "lazyfree", at: node.address, "large values are freed while clients wait",
                "lazyfree-lazy-expire is no: with --punctual \(facts.rights.punctual.rawValue) a value of many elements that expires is freed before the "
                    + "next command. Values of a few kilobytes do not need it.",
                fix: facts.command(on: node.address, "CONFIG", "SET", "lazyfree-lazy-expire", "yes"))
        }
    }
}
