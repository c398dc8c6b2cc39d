import Benchmark
import LeaderElection
import Timing

/// The decisions of a leader that renews its lease on three registers.
func renewing() {
    Benchmark("renew_a_lease_100_times", configuration: .counting(within: 2)) { benchmark in
        var leader = try RenewingLeader()
        leader.renew()
        benchmark.count { for _ in 0..<100 { leader.renew() } }
    }
}

private struct RenewingLeader {
    private var machine: LeaseMachine
    private var now: Duration = .zero
    private var wake: Duration?
    private var renewals = 0

    init() throws {
        machine = LeaseMachine(
            settings: try LeaseMachine.Settings(
                name: "default", id: "a", rules: "", registers: 3, timing: try LeaseTiming(ttl: .seconds(8))),
            random: .seeded(1))
        perform(step(.start))
        guard case .leading = machine.state else { fatalError("it does not lead: \(machine.state)") }
    }

    /// Goes on to the next renewal, and through it.
    mutating func renew() {
        let before = renewals
        while renewals == before {
            guard let wake else { fatalError("it waits for nothing: \(machine.state)") }
            now = wake
            perform(step(.timer))
        }
    }

    private mutating func step(_ event: LeaseMachine.Event) -> [LeaseMachine.Effect] {
        machine.step(event, now: ClockReading(monotonic: now, wall: now))
    }

    /// Every register grants what it is asked for, a millisecond later.
    private mutating func perform(_ effects: [LeaseMachine.Effect]) {
        for effect in effects {
            switch effect {
            case .send(let request):
                now += .milliseconds(1)
                perform(step(.answered(request, answer(request.operation))))
            case .wake(let at): wake = at
            case .extendTerm: renewals += 1
            default: break
            }
        }
    }

    private func answer(_ operation: LeaseMachine.Operation) -> LeaseMachine.Outcome {
        switch operation {
        case .acquire: .acquired(.granted(Vote(counter: 1, term: 0)))
        case .confirm: .confirmed(true)
        case .renew: .renewed(.renewed)
        case .release: .released
        }
    }
}
