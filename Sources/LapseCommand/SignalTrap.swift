import Dispatch
import Glibc
import Synchronization

/// SIGTERM and SIGINT: the first one asks, the second one ends the process at once.
final class SignalTrap {
    private final class First: Sendable {
        let number = Mutex<Int32?>(nil)
    }

    private let first = First()
    private let sources: [any DispatchSourceSignal]

    /// The signal that asked, if any.
    var signal: Int32? { first.number.withLock { $0 } }

    /// - Parameter onFirst: called once, on a thread that nothing else the process does can keep busy.
    init(onFirst: @escaping @Sendable (_ number: Int32) -> Void) {
        let queue = DispatchQueue(label: "lapse.signals", qos: .userInteractive)
        let first = first
        sources = [SIGTERM, SIGINT].map { number in
            _ = Glibc.signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler {
                let isFirst = first.number.withLock { signal in
                    defer { signal = signal ?? number }
                    return signal == nil
                }
                guard isFirst else {
                    StandardStream.errors.write("lapse: second signal: ending at once")
                    _exit(128 + number)
                }
                onFirst(number)
            }
            source.resume()
            return source
        }
    }

    deinit { for source in sources { source.cancel() } }
}
