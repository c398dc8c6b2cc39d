import LeaderElection
import Simulation
import Testing

extension LeaseMachine.Settings {
    static func replica(
        _ id: String, registers: Int = 3, ttl: Duration = .seconds(8), clockDrift: Double = 0.01,
        stopBudget: Duration? = nil, drainLimit: Duration? = nil, rules: String = "rules", purpose: String = ""
    ) throws -> LeaseMachine.Settings {
        try LeaseMachine.Settings(
            name: "test", id: id, rules: rules, purpose: purpose, registers: registers,
            timing: LeaseTiming(ttl: ttl, clockDrift: clockDrift, stopBudget: stopBudget), drainLimit: drainLimit)
    }
}

extension ElectionWorld {
    /// A world in which candidate 0 leads and the others follow.
    static func led(registers: Int = 3, followers: Int = 0, ttl: Duration = .seconds(8), seed: UInt64 = 1) throws
        -> ElectionWorld
    {
        var world = ElectionWorld(registers: registers, seed: seed)
        world.join(try .replica("a", registers: registers, ttl: ttl))
        try #require(world.run(for: .seconds(1)) { $0.leader == 0 })
        for follower in 0..<followers {
            world.join(try .replica("follower\(follower)", registers: registers, ttl: ttl))
        }
        world.run(for: .seconds(1))
        try #require(world.leader == 0)
        return world
    }

    var holders: [String?] { registers.map { $0.held(at: now)?.value } }

    mutating func occupy(_ register: Int, by value: String = "foreign:1", for duration: Duration) {
        registers[register].lock = .init(
            value: value, rules: "rules", until: registers[register].clock(now) + duration)
    }
}

/// Every assignment of `states` to `count` places.
func assignments<State>(of states: [State], to count: Int) -> [[State]] {
    guard count > 0 else { return [[]] }
    return assignments(of: states, to: count - 1).flatMap { rest in states.map { rest + [$0] } }
}
