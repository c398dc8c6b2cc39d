import Synchronization
import Timing

/// Notes each expiration in the registers before its handler begins: leaders have died one after the
/// other, and the next one is to know over what.
///
/// Lanes that ask while a note is on its way share the next one. A register that refuses notes stops
/// nothing; one that does not answer holds each for two seconds at most, and this leader's death then
/// teaches nothing.
package final class CarefulHandling: Sendable {
    enum Verdict: Sendable, Equatable {
        case begin, later
        case condemned(deaths: Int)
        /// The term is over.
        case over
    }

    private struct State {
        var suspects: Suspects
        var waiters: [CheckedContinuation<Bool, Never>] = []
        var isOver = false
        var isNeeded = true
    }

    /// How long one suspect waits for another.
    package static let patience = Duration.milliseconds(50)
    /// How long a careful leader begins nothing: those that died are back, and have copied what it has in
    /// its logs.
    package static let grace = Duration.seconds(2)

    private let state: Mutex<State>
    private let bell: Doorbell
    private let note: @Sendable (Suspects) async -> Void
    private let close: @Sendable (Suspects) async -> Void
    private let pause: @Sendable () async -> Bool

    /// - Parameters:
    ///   - suspects: as this term has inherited them.
    ///   - note: writes them down.
    ///   - close: says that the leader has survived what it found.
    ///   - pause: waits for some milliseconds; false when cancelled.
    init(
        _ suspects: Suspects, bell: Doorbell, note: @escaping @Sendable (Suspects) async -> Void,
        close: @escaping @Sendable (Suspects) async -> Void, pause: @escaping @Sendable () async -> Bool
    ) {
        self.close = close
        self.pause = pause
        state = Mutex(State(suspects: suspects))
        self.bell = bell
        self.note = note
    }

    /// False once the leader has survived what it found.
    var isNeeded: Bool { state.withLock { $0.isNeeded } }

    /// The leader has survived what it found. Behind the last note it is said so.
    func isDone() {
        state.withLock { $0.isNeeded = false }
        bell.ring()
    }

    /// What is left of the suspects for the next leader, when this one did not die.
    var survived: Suspects { state.withLock { $0.suspects.survived } }

    /// Whether anything is left that a leader died over.
    package func hasSuspects(_ progress: [Progress]) -> Bool { state.withLock { $0.suspects.hasOpen(progress) } }

    /// Waits until it is noted.
    func begin(_ delivery: Delivery) async -> Verdict {
        // What a sweep has found has no number by which the next leader would know it.
        guard delivery.hasPosition, isNeeded else { return .begin }
        taking: while true {
            let now = SystemClock.read().monotonic
            guard let verdict = state.withLock({ $0.isOver ? nil : $0.suspects.take(delivery.suspect, now: now) })
            else {
                return .over
            }
            switch verdict {
            case .begin: break taking
            case .later: return .later
            case .condemned(let deaths): return .condemned(deaths: deaths)
            case .wait: guard await pause() else { return .over }
            }
        }
        let isNoted = await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                if !state.isOver { state.waiters.append(continuation) }
                return state.isOver
            }
            if isOver { continuation.resume(returning: false) } else { bell.ring() }
        }
        guard isNoted else {
            leave(delivery)
            return .over
        }
        return .begin
    }

    /// It is not begun.
    func leave(_ delivery: Delivery) { state.withLock { $0.suspects.leave(delivery.suspect) } }

    func ended(_ delivery: Delivery) { state.withLock { $0.suspects.ended(delivery.suspect) } }

    /// Writes notes until cancelled, at the end of the term.
    func run() async {
        var isClosed = false
        repeat {
            while true {
                let (suspects, waiters) = state.withLock { state in
                    defer { state.waiters = [] }
                    return (state.suspects, state.waiters)
                }
                guard !waiters.isEmpty else { break }
                await note(suspects)
                for waiter in waiters { waiter.resume(returning: true) }
            }
            if !isClosed, !isNeeded {
                isClosed = true
                await close(survived)
            }
        } while await bell.wait(upTo: nil) != .cancelled
        let waiters = state.withLock { state in
            state.isOver = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume(returning: false) }
    }
}

extension Delivery {
    var suspect: Suspects.Position { Suspects.Position(runID: runID, ordinal: ordinal) }
}
