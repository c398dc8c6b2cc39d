import Lapse
import RedisClient

extension PredictedLag {
    /// Of a master; nil where it is not known, and on replicas, which wait for their master.
    package static func median(_ facts: NodeFacts) -> Duration? {
        guard facts.isDataMaster, facts.isAnswering, let keys = facts.volatileKeys else { return nil }
        let hz = (facts.info["hz"] ?? facts.setting("hz")).flatMap { Int($0) } ?? 10
        let effort = facts.setting("active-expire-effort").flatMap { Int($0) } ?? 1
        return median(volatileKeys: keys, hz: hz, effort: effort)
    }
}
