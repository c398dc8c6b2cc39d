import Dispatch
import Glibc
import Synchronization

/// What the signals that ask for an end mean, one after the other.
package struct EndRequests: Sendable {
    package enum Answer: Sendable, Equatable {
        /// The first one: drain and hand over.
        case begin
        /// The same request, as a terminal and its shell, or a supervisor and its script, send it twice.
        case same
        /// The end is wanted now.
        case endAtOnce
    }

    /// Signals that come within this time of the first are one request.
    package static let window = Duration.seconds(1)
    private var first: ContinuousClock.Instant?

    package init() {}

    package mutating func received(at now: ContinuousClock.Instant) -> Answer {
        guard let first else {
            self.first = now
            return .begin
        }
        return now - first <= Self.window ? .same : .endAtOnce
    }
}

/// SIGTERM, SIGINT and SIGHUP: the first one asks for an end; another one more than a second later ends
/// the process at once.
package final class SignalTrap {
    private struct State {
        var requests = EndRequests()
        var number: Int32?
    }

    private final class Shared: Sendable {
        let state = Mutex(State())
    }

    private let shared = Shared()
    private let sources: [any DispatchSourceSignal]

    /// The signal that asked, if any.
    package var signal: Int32? { shared.state.withLock { $0.number } }

    /// Returns when it is in force: a signal that comes any time after counts. One that came before ended
    /// the process.
    ///
    /// - Parameter onFirst: called once, on a thread that nothing else the process does can keep busy.
    package init(onFirst: @escaping @Sendable (_ number: Int32) -> Void) {
        let queue = DispatchQueue(label: "lapse.signals", qos: .userInteractive)
        let shared = shared
        // Dispatch takes a signal over on another thread, and a signal that is ignored until then would be
        // lost.
        let takenOver = DispatchGroup()
        sources = [SIGTERM, SIGINT, SIGHUP].compactMap { number in
            // Started by nohup, it is to outlive its terminal.
            if number == SIGHUP, Self.isIgnored(number) { return nil }
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler {
                let answer = shared.state.withLock { state in
                    state.number = state.number ?? number
                    return state.requests.received(at: .now)
                }
                switch answer {
                case .begin: onFirst(number)
                case .same: break
                case .endAtOnce:
                    FatalLine.write("second signal: ending at once", level: .warning)
                    _exit(128 + number)
                }
            }
            takenOver.enter()
            source.setRegistrationHandler { takenOver.leave() }
            source.resume()
            return source
        }
        takenOver.wait()
    }

    private static func isIgnored(_ number: Int32) -> Bool {
        var action = sigaction()
        unsafe sigaction(number, nil, &action)
        // As a number: two C function pointers cannot be compared.
        return unsafe unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
    }

    deinit { for source in sources { source.cancel() } }
}
