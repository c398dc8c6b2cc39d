import Lapse
import LeaderElection

/// Which entries a worker handles, and as whom.
enum Working: OptionGroupTable {
    /// One option with that of `lapse run`, seen from the other side.
    static let stream = Setting.text(
        OptionRow(
            name: Streaming.stream.row.name, value: "key", help: "The stream that lapse run --stream fills."))
    static let group = Setting.text(
        OptionRow(name: "group", value: "name", help: "The consumer group whose workers share the entries."))
    static let claimAfter = Setting.duration(
        OptionRow(
            name: "claim-after", value: "duration",
            help: "Handle what a worker has that was silent for this long; the same for all workers.", standard: "15s"))

    /// Off unless given: several workers run on one machine.
    private static let admin = OptionRow(
        name: Running.admin.row.name, value: "host:port", help: "Health, metrics and status over HTTP.",
        standardHelp: "off")

    static let own = [group.row, claimAfter.row]
    static let rows =
        [stream.row] + own + [
            Running.handler.row, Running.exec.row, Running.execStream.row, Running.concurrency.row,
            Running.handlerTimeout.row,
            Running.retries.row, Running.retryDelay.row, Running.longestRetryDelay.row, Running.deadLetter.row,
            Candidacy.id.row, Candidacy.drain.row, admin,
        ]
}

extension WorkerConfiguration {
    /// Everything that `lapse work` was told about the worker.
    init(_ values: OptionValues) throws(Failure) {
        guard let stream = try values(Working.stream) else {
            throw .usage("--stream: name the stream, as for lapse run")
        }
        guard let group = try values(Working.group) else {
            throw .usage("--group: name the consumer group whose workers share the entries")
        }
        var shared = ProcessorConfiguration(id: try values(Candidacy.id) ?? ElectionConfiguration.uniqueID())
        try shared.connect(values)
        shared.deadLetter = try values(Running.deadLetter)
        if let value = try values(Running.concurrency) { shared.concurrency = value }
        if let value = try values(Running.handlerTimeout) { shared.handlerTimeout = value }
        if let value = try values(Running.retries) { shared.retries = value }
        if let value = try values(Running.retryDelay) { shared.retryDelay = value }
        if let value = try values(Running.longestRetryDelay) { shared.longestRetryDelay = value }
        if let value = try values(Candidacy.drain) { shared.drain = value }
        if let value = try values(LogLines.keys) { shared.logKeys = value }
        self.init(stream: stream, group: group, shared: shared)
        if let value = try values(Working.claimAfter) { claimAfter = value }
        do { try validate() } catch { throw Failure(error) }
    }
}
