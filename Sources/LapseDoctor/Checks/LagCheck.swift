import Lapse

/// How late Redis will announce expirations by itself.
struct LagCheck: Check {
    private static let noticeable = Duration.seconds(1)
    private static let long = Duration.seconds(10)

    func findings(_ facts: DeploymentFacts) -> [DoctorFinding] {
        // What is wanted is asked for when it is due; how late all else is concerns no handler.
        guard facts.rights.punctual != .track else { return [] }
        return facts.nodes.compactMap { node in
            guard let lag = PredictedLag.median(node), lag > Self.noticeable, let keys = node.volatileKeys else {
                return nil
            }
            let effort = node.setting("active-expire-effort").flatMap { Int($0) } ?? 1
            let eager = PredictedLag.median(
                volatileKeys: keys, hz: node.info["hz"].flatMap { Int($0) } ?? 10, effort: 10)
            let canBeEager = effort < 10
            let cheaper =
                canBeEager
                ? " active-expire-effort 10 would make it \(Wording.duration(eager)), at some cost of the server's time."
                : ""
            return DoctorFinding(
                lag > Self.long ? .warns : .notes, "lag", at: node.address,
                "expirations come about \(Wording.duration(lag)) late",
                "Redis finds expired keys by sampling, and \(keys) keys here have a TTL.\(cheaper) "
                    + "With --punctual track, lapse run asks for each wanted key when it is due.",
                fix: canBeEager
                    ? facts.command(on: node.address, "CONFIG", "SET", "active-expire-effort", "10")
                    : "lapse run --punctual track")
        }
    }
}
