import NIOCore
import Synchronization
import Timing

/// Shares a ``SteeringMachine`` between what reads the registers each second and what is told that
/// there is something to read.
final class Steering: Sendable {
    private let machine: Mutex<SteeringMachine>
    private let turn = Mutex(())
    private let bell: Doorbell
    /// However often it is told, it reads no more often than this.
    private static let spacing = Duration.milliseconds(250)

    init(longestPause: Duration, on loop: any EventLoop) {
        machine = Mutex(SteeringMachine(longestPause: longestPause))
        bell = Doorbell(on: loop)
    }

    /// Any client may say so: it costs one reading.
    func lookSoon() { bell.ring() }

    /// Looks each time that it was told to, until cancelled.
    func whenAsked(_ look: () async -> Void) async {
        let rest = Doorbell(on: bell.loop)
        while await bell.wait() != .cancelled {
            await look()
            // What rings meanwhile is heard afterwards.
            if await rest.wait(upTo: Self.spacing) == .cancelled { return }
        }
    }

    /// One look after the other, each from what it sees to what it has done: else an older one would undo a
    /// newer one.
    func inTurn<Result: Sendable>(_ look: () -> Result) -> Result { turn.withLock { _ in look() } }

    /// What is to be done now.
    func step(_ input: SteeringInput) -> [SteeringMachine.Effect] { machine.withLock { $0.step(input) } }

    /// Whether an answer is still to be written.
    func isUnsaid(_ nonce: String, _ verdict: SteeringAnswer.Verdict) -> Bool {
        machine.withLock { $0.isUnsaid(nonce, verdict) }
    }

    /// A majority of the registers has taken the answer.
    func said(_ nonce: String, _ verdict: SteeringAnswer.Verdict) { machine.withLock { $0.said(nonce, verdict) } }

    /// The pause under way.
    var pause: SteeringMachine.Pause? { machine.withLock { $0.pause } }
}
