package import Lapse
package import Logging

/// Every handler that comes with Lapse, under the name that `lapse run --handler` knows.
package enum BuiltInHandler: String, CaseIterable, Sendable {
    case log, ndjson, none

    /// What a handler gets from the process that it runs in.
    package struct Dependencies: Sendable {
        /// This replica's id.
        package var replica: String
        package var logger: Logger
        /// What of a key stands in the log's lines.
        package var keys: KeyDisclosure
        /// How the log's lines look; nil for those of the logger.
        package var log: (any HandledLineFormat)?
        /// Where they go, see ``LoggingHandler``.
        package var putLog: LoggingHandler.Put
        /// Called once, when the output of a handler is gone: the process has nothing to live for.
        package var onBroken: @Sendable (LineOutput.Broken) -> Void
        /// The process before this one on the same output has crashed.
        package var followsCrash: Bool

        package init(
            replica: String, logger: Logger, keys: KeyDisclosure = .full, log: (any HandledLineFormat)? = nil,
            putLog: @escaping LoggingHandler.Put = { _ in nil },
            onBroken: @escaping @Sendable (LineOutput.Broken) -> Void, followsCrash: Bool = false
        ) {
            self.replica = replica
            self.logger = logger
            self.keys = keys
            self.log = log
            self.putLog = putLog
            self.onBroken = onBroken
            self.followsCrash = followsCrash
        }
    }

    package func handler(_ dependencies: Dependencies) -> Handling {
        switch self {
        case .none: return .one { _, _ in }
        case .log:
            let handler = LoggingHandler(dependencies.log, keys: dependencies.keys, put: dependencies.putLog)
            // One output: a second call would only wait for it.
            return .batches({ try await handler($0, $1) }, atOnce: 1)
        case .ndjson:
            let output = LineOutput(
                endsBrokenLine: dependencies.followsCrash,
                onBroken: dependencies.onBroken,
                onStalled: { stall in
                    dependencies.logger.warning(
                        "stdout is not read",
                        metadata: [
                            "seconds": .stringConvertible(stall.seconds), "waiting": .stringConvertible(stall.waiting),
                        ])
                })
            let handler = NDJSONHandler(replica: dependencies.replica, output: output)
            // One output: a second call would only wait for it.
            return .batches({ try await handler($0, $1) }, atOnce: 1)
        }
    }
}
