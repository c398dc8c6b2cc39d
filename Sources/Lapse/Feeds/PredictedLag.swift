/// How late Redis is expected to announce an expiration by itself: it samples keys with a TTL, a number
/// each second.
///
/// The median is volatile keys / (2 · (20 + 5 · (effort − 1)) · hz): measured, see the design's facts
/// about Redis.
package enum PredictedLag {
    package static func median(volatileKeys: Int, hz: Int, effort: Int) -> Duration {
        // Redis itself allows no more.
        let (hz, effort) = (min(max(hz, 1), 500), min(max(effort, 1), 10))
        let sampled = 2 * (20 + 5 * (effort - 1)) * hz
        return .seconds(Double(volatileKeys) / Double(sampled))
    }
}
