import FoundationEssentials
import Supervision

/// What the service manager hears of this process: through its parent, or, without one, by itself.
struct ServiceReport: Sendable {
    private let manager: ServiceManager?
    /// How often it wants to hear; nil for a manager without a watchdog.
    private let interval: Duration?

    init(environment: [String: String] = ProcessInfo.processInfo.environment) {
        manager = ParentLink.own == nil ? ServiceManager(address: environment["NOTIFY_SOCKET"]) : nil
        interval = environment["WATCHDOG_USEC"].flatMap { Int64($0) }
            .flatMap { (1_000...86_400_000_000).contains($0) ? .microseconds($0 / 3) : nil }
    }

    /// The options were understood, and the service runs. Whether Redis can be reached is what `/readyz`
    /// tells.
    func ready() { tell(.ready, .ready) }

    /// Tells that this process is alive, until cancelled: from a task, so not while none gets a thread.
    func run() async {
        guard let interval else { return }
        while !Task.isCancelled {
            tell(.alive, .alive)
            try? await Task.sleep(for: interval)
        }
    }

    private func tell(_ line: WorkerLine, _ notice: ServiceNotice) {
        if let parent = ParentLink.own { parent.tell(line) } else { manager?.tell(notice) }
    }
}
