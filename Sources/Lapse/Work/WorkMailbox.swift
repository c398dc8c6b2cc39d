import RedisClient
import Synchronization
import Timing

/// What the tasks of a worker have to tell its loop, which takes all there is at once.
final class WorkMailbox: Sendable {
    struct Mail {
        var reports: [WorkLoop.Report] = []
        /// By lanes: a report of each would be ten times as large.
        var handled: [WorkEntry] = []

        var isEmpty: Bool { reports.isEmpty && handled.isEmpty }
    }

    private let mail = Mutex(Mail())
    private let bell: Doorbell

    init(bell: Doorbell) { self.bell = bell }

    func put(_ report: WorkLoop.Report) { add { $0.reports.append(report) } }

    /// A lane has ended a job, or none takes it.
    ///
    /// - Parameter failure: nil when it is handled.
    func ended(_ entry: WorkEntry, _ failure: WorkMachine.AttemptFailure?) {
        if let failure { put(.init(event: .failed(entry, failure))) } else { add { $0.handled.append(entry) } }
    }

    private func add(_ change: (inout Mail) -> Void) {
        let isFirst = mail.withLock { mail in
            defer { change(&mail) }
            return mail.isEmpty
        }
        // The loop takes all that are there at once.
        if isFirst { bell.ring() }
    }

    /// Waits for mail; none when this time is over, or when cancelled.
    func take(upTo time: Duration?) async -> Mail {
        let mail = takeAll()
        if !mail.isEmpty { return mail }
        _ = await bell.wait(upTo: time)
        return takeAll()
    }

    private func takeAll() -> Mail {
        mail.withLock { mail in
            defer { mail = Mail() }
            return mail
        }
    }
}
