import Glibc

extension SupervisorMachine {
    /// What the parent goes by.
    package struct Settings: Sendable, Equatable {
        /// What to do when the worker has crashed and its lease was dealt with.
        package enum OnCrash: String, CaseIterable, Sendable {
            /// Begin another, after a pause that grows.
            case restart
            /// End with the worker's code.
            case exit
        }

        package var onCrash: OnCrash
        /// How long a releaser may take: after that the lease is over, or near its end.
        package var releaseLimit: Duration
        /// A worker that led for less may have been killed by what it handled first.
        package var shortestTerm = Duration.seconds(5)
        /// How long children may take to die of SIGKILL.
        package var clearLimit = Duration.seconds(10)
        /// After a run of this length a crash counts as the first.
        package var forgetCrashesAfter = Duration.seconds(10)

        /// EX_SOFTWARE of sysexits.h.
        static let internalError: Int32 = 70
        /// Each asks for an end.
        static let endSignals = [SIGTERM, SIGINT, SIGHUP, SIGQUIT]
        private static let firstPause = Duration.milliseconds(100)
        /// A replica that is not there hears nothing: when all are in their pauses, what expires is lost.
        private static let longestPause = Duration.seconds(5)

        package init(onCrash: OnCrash, releaseLimit: Duration) {
            self.onCrash = onCrash
            self.releaseLimit = releaseLimit
        }

        /// Twice as long after each crash in a row.
        func pause(afterCrash number: Int) -> Duration {
            min(Self.firstPause * (1 << min(max(number, 1) - 1, 16)), Self.longestPause)
        }
    }
}

/// How a process ended.
package enum ProcessEnd: Sendable, Equatable {
    case exited(Int32)
    case signalled(Int32)

    /// From a wait status.
    package init(status: Int32) {
        let signal = status & 0x7f
        self = signal == 0 ? .exited((status >> 8) & 0xff) : .signalled(signal)
    }

    /// As shells have it: 128 and the number of the signal.
    package var code: Int32 {
        switch self {
        case .exited(let code): code
        case .signalled(let number): 128 + number
        }
    }

    var words: String {
        switch self {
        case .exited(let code): "ended with \(code), holding the lease"
        case .signalled(let number): "was ended by signal \(number)"
        }
    }
}

extension Duration {
    var words: String { "\(components.seconds) s" }
}

/// What a service manager is told.
package enum ServiceNotice: String, Sendable, Equatable {
    case ready = "READY=1"
    case alive = "WATCHDOG=1"
}
