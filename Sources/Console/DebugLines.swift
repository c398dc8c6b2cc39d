import Dispatch
import Glibc
import Synchronization

/// Debug lines in the log on demand: SIGUSR1 turns them on, the next one off again.
package enum DebugLines {
    private static let wanted = Atomic(false)
    /// There is one process, and it listens once.
    private static let source = Mutex<(any DispatchSourceSignal)?>(nil)

    static var areWanted: Bool { wanted.load(ordering: .relaxed) }

    /// From now on neither SIGUSR1 nor SIGUSR2 ends this process: both come to whole control groups, and
    /// to commands that have no log.
    package static func keepSignalsHarmless() { for number in [SIGUSR1, SIGUSR2] { _ = signal(number, SIG_IGN) } }

    /// Listens for SIGUSR1 until the process ends.
    ///
    /// - Parameter changed: called at each one, with what is so from now on.
    package static func listen(_ changed: @escaping @Sendable (_ areWanted: Bool) -> Void) {
        source.withLock { source in
            let signals = DispatchSource.makeSignalSource(
                signal: SIGUSR1, queue: DispatchQueue(label: "lapse.debug-lines"))
            signals.setEventHandler {
                let areWanted = !Self.areWanted
                wanted.store(areWanted, ordering: .relaxed)
                changed(areWanted)
            }
            signals.resume()
            source = signals
        }
    }
}
