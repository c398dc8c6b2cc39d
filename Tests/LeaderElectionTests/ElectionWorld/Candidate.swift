import LeaderElection
import Simulation
import Timing

/// A replica in the simulated world: the real machine, with clocks and a body that the test governs.
struct Candidate {
    /// How the body behaves; nil: it does not return for that reason.
    struct Body {
        var afterDrain: Duration? = .zero
        var afterCancel: Duration? = .zero
        var lifetime: Duration?
        var outcome: LeaseMachine.BodyOutcome = .returned
    }

    var machine: LeaseMachine
    /// The world's registers that are this replica's, in its order; nil for all.
    var map: [Int]?
    var body = Body()
    var clockRate = 1.0
    /// By how much its clocks stand off the true time.
    var monotonicOffset: Duration = .seconds(100)
    var wallOffset: Duration = .seconds(1_700_000_000)
    /// Stopped by a signal until then.
    var pausedUntil: Duration?
    var isAlive = true

    /// Timers and answers of an older incarnation mean nothing to a restarted one.
    var incarnation = 0
    var timer = 0
    var leadership: Leadership?
    /// The body of a term runs: from `beginTerm` until it returned.
    var running: LeaseMachine.TermInfo?

    var terms: [LeaseMachine.TermInfo] = []
    var ends: [(at: Duration, TermEnd)] = []
    var notes: [LeaseMachine.Note] = []
    var stoppedClean: Bool?
    var acquires = 0

    struct Leadership {
        let info: LeaseMachine.TermInfo
        var window: LeaseWindow
    }

    init(_ settings: LeaseMachine.Settings, seed: UInt64) {
        machine = LeaseMachine(settings: settings, random: .seeded(seed))
    }

    func clock(_ time: Duration) -> ClockReading {
        ClockReading(monotonic: time * clockRate + monotonicOffset, wall: time * clockRate + wallOffset)
    }

    /// The true time at which the monotonic clock will have reached `reading`.
    func time(of reading: Duration) -> Duration {
        (reading - monotonicOffset) / clockRate + .nanoseconds(1)
    }

    /// It would call a handler now.
    func mayCallHandlers(at time: Duration) -> Bool {
        guard isAlive, let leadership else { return false }
        return leadership.window.isOpen(at: clock(time))
    }
}
