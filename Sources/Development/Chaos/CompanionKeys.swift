import Foundation
import ThrowawayRedis

/// Timer keys with companions: whatever becomes of their announcements, each is to be handled.
struct CompanionKeys: Sendable {
    static let prefix = "t:"
    static let rule = "t:* => c:*"
    /// They expire at random within these seconds after they were set.
    static let shortest = 3.0
    static let longest = 12.0

    let cluster: ThrowawayCluster
    let count: Int

    /// Sets them all; returns when each is due, in seconds since 1970.
    func arm() async throws -> [String: Double] {
        let masters = try await cluster.masters()
        var slots: [(ClosedRange<Int>, Int)] = []
        for (index, master) in masters.enumerated() {
            for range in try await cluster.slots(of: master) { slots.append((range, index)) }
        }
        var scripts = [[String]](repeating: [], count: masters.count)
        var due: [String: Double] = [:]
        let now = Date().timeIntervalSince1970
        for number in 0..<count {
            let key = "\(Self.prefix){\(number)}"
            guard let index = slots.first(where: { $0.0.contains(KeySlot.of(key)) })?.1 else { continue }
            let at = now + Double.random(in: Self.shortest...Self.longest)
            due[key] = at
            // The companion first, as the README says: a timer without one would have nothing to be found by.
            scripts[index].append("SET c:{\(number)} value-\(number)")
            scripts[index].append("SET \(key) 1 PXAT \(Int(at * 1000))")
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (master, lines) in zip(masters, scripts) {
                // All masters at once: the keys of one must not run out while the next one waits. The group awaits
                // them.
                group.addTask { try await master.script(lines, within: .seconds(60)) }
            }
            try await group.waitForAll()
        }
        return due
    }

    /// How many companions are still there: each is deleted once its expiration was handled.
    func left() async throws -> Int {
        var left = 0
        for master in try await cluster.masters() {
            left += try await master.cli("--scan", "--pattern", "c:*").split(separator: "\n").count
        }
        return left
    }
}
