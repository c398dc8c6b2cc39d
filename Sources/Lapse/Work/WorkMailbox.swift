import Synchronization
import Timing

/// What the tasks of a worker have to tell its loop, which takes all there is at once.
final class WorkMailbox: Sendable {
    private let reports = Mutex<[WorkLoop.Report]>([])
    private let bell: Doorbell

    init(bell: Doorbell) { self.bell = bell }

    func put(_ report: WorkLoop.Report) {
        let isFirst = reports.withLock { reports in
            reports.append(report)
            return reports.count == 1
        }
        // The worker takes all that are there at once.
        if isFirst { bell.ring() }
    }

    /// Waits for reports; none when cancelled.
    func take() async -> [WorkLoop.Report] {
        while true {
            let taken = reports.withLock { reports in
                defer { reports = [] }
                return reports
            }
            if !taken.isEmpty || Task.isCancelled { return taken }
            if await bell.wait() == .cancelled { return [] }
        }
    }
}
