import LeaderElection
import Timing

/// What a program's guard does, as a pure value: the program ends by the end of the lease, whatever
/// becomes of lapse.
///
/// ```
/// waiting ─start─▶ running ─deadline, stop, closed─▶ ending ─time is up, closed─▶ killed
/// ```
struct GuardMachine: Sendable {
    /// What lapse says, a line each.
    enum Order: Sendable, Equatable {
        /// Run the program for this term, until then.
        case start(term: UInt64, token: UInt64, until: ClockReading)
        /// The lease was renewed.
        case extend(until: ClockReading)
        /// Ask the program to end; lapse decides how long it may take, within the lease.
        case stop
    }

    enum Event: Sendable, Equatable {
        case order(Order)
        /// Lapse closed the pipe, or is gone.
        case closed
        case timer
    }

    enum Action: Sendable, Equatable {
        case start(term: UInt64, token: UInt64)
        case terminate
        case kill
        /// There is nothing to guard.
        case leave
    }

    private enum State: Sendable, Equatable {
        case waiting
        case running(until: ClockReading)
        case ending(by: ClockReading)
        case killed
    }

    private var state: State = .waiting
    /// Between SIGTERM and SIGKILL when the lease or lapse has ended.
    private let grace: Duration

    init(grace: Duration) { self.grace = grace }

    mutating func step(_ event: Event, now: ClockReading) -> [Action] {
        let due = expire(now)
        let actions = due + handle(event, now)
        // A grace that is over already, after the guard itself was stopped.
        return actions.contains(.terminate) ? actions + expire(now) : actions
    }

    /// When to come back, by the monotonic clock. The wall clock may jump, so it is looked at once in a
    /// while.
    var nextLook: Duration? {
        switch state {
        case .waiting, .killed: nil
        case .running(let limit), .ending(let limit): limit.monotonic
        }
    }

    private mutating func expire(_ now: ClockReading) -> [Action] {
        switch state {
        case .running(let limit) where !now.isBefore(limit):
            state = .ending(by: limit.advanced(by: grace))
            return [.terminate]
        case .ending(let limit) where !now.isBefore(limit):
            state = .killed
            return [.kill]
        default: return []
        }
    }

    private mutating func handle(_ event: Event, _ now: ClockReading) -> [Action] {
        switch (state, event) {
        case (.waiting, .order(.start(let term, let token, let limit))):
            guard now.isBefore(limit) else { return [.leave] }
            state = .running(until: limit)
            return [.start(term: term, token: token)]
        case (.waiting, .closed): return [.leave]
        case (.running, .order(.extend(let limit))): state = .running(until: limit)
        case (.ending(let old), .order(.extend(let limit))):
            // A graceful end under a lease that goes on. One that began at the end of the lease is not called off.
            if now.isBefore(limit) { state = .ending(by: max(old, limit.advanced(by: grace))) }
        case (.running(let limit), .order(.stop)):
            state = .ending(by: limit.advanced(by: grace))
            return [.terminate]
        case (.running(let limit), .closed):
            state = .ending(by: min(now, limit).advanced(by: grace))
            return [.terminate]
        case (.ending, .closed):
            state = .killed
            return [.kill]
        case (.waiting, _), (.running, _), (.ending, _), (.killed, _): break
        }
        return []
    }
}

private func max(_ left: ClockReading, _ right: ClockReading) -> ClockReading {
    left.monotonic > right.monotonic ? left : right
}

private func min(_ left: ClockReading, _ right: ClockReading) -> ClockReading {
    left.monotonic < right.monotonic ? left : right
}

extension GuardMachine.Order {
    /// `start TERM TOKEN MONOTONIC WALL`, `extend MONOTONIC WALL` or `stop`, times in nanoseconds.
    var line: String {
        switch self {
        case .start(let term, let token, let limit): "start \(term) \(token) \(Self.text(limit))"
        case .extend(let limit): "extend \(Self.text(limit))"
        case .stop: "stop"
        }
    }

    init?(_ line: some StringProtocol) {
        let words = line.split(separator: " ")
        let numbers = words.dropFirst().compactMap { UInt64($0) }.filter { $0 <= Int64.max }
        switch (words.first, numbers.count) {
        case ("start", 4):
            self = .start(term: numbers[0], token: numbers[1], until: Self.reading(numbers[2], numbers[3]))
        case ("extend", 2): self = .extend(until: Self.reading(numbers[0], numbers[1]))
        case ("stop", 0): self = .stop
        default: return nil
        }
    }

    private static func text(_ limit: ClockReading) -> String {
        "\(max(0, limit.monotonic.inNanoseconds)) \(max(0, limit.wall.inNanoseconds))"
    }

    private static func reading(_ monotonic: UInt64, _ wall: UInt64) -> ClockReading {
        ClockReading(monotonic: .nanoseconds(Int64(monotonic)), wall: .nanoseconds(Int64(wall)))
    }
}
