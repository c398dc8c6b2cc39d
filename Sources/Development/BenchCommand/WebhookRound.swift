import Foundation
import ThrowawayRedis

/// One measurement of each that posts webhooks. Receiver, server and what posts are new for each, so
/// that none finds open connections or a full log.
struct WebhookRound {
    let lapse: String
    let events: Int

    /// What one of them took for all of its webhooks.
    struct Cost {
        /// Of what posts.
        let processorTime: Duration
        /// At the end.
        let counts: WebhookCounts
    }

    static let atOnce = 64

    /// - Parameter bytes: of each body.
    func alone(bytes: Int) async throws -> Cost {
        let receiver = try await WebhookReceiver.start()
        let pipe = try NamedPipe()
        let process = try await ThrowawayProcess.start(
            CommandLine.arguments[0],
            [
                "poster", receiver.url, "--events", "\(events)", "--concurrency", "\(Self.atOnce)", "--bytes",
                "\(bytes)", "--begin", pipe.path,
            ])
        try await waitUntil("the poster is ready", within: .seconds(20)) {
            process.output.contains("ready\n") ? nil : process.output
        }
        let cost = try await measure(process, receiver) {
            try FileHandle(fileDescriptor: pipe.descriptor).write(contentsOf: Data("\n".utf8))
        }
        await process.kill()
        await receiver.stop()
        return cost
    }

    /// `lapse run` as leader: keys that expire at once.
    func leader() async throws -> Cost {
        let receiver = try await WebhookReceiver.start()
        let server = try await ThrowawayServer.start(ExpirationBurst.server)
        let subject = Subject.leader(lapse, posting: receiver.url, concurrency: Self.atOnce)
        let process = try await subject.start(on: server)
        let burst = ExpirationBurst(server: server)
        try await burst.load(events)
        let cost = try await measure(process, receiver) { try await burst.release(events) }
        try await subject.check(process, on: server, events: events)
        await process.kill()
        await server.shutDown()
        await receiver.stop()
        return cost
    }

    /// `lapse work`: entries that come into its stream at once.
    func worker() async throws -> Cost {
        let receiver = try await WebhookReceiver.start()
        let server = try await ThrowawayServer.start()
        let stream = StreamBurst(server: server)
        let process = try await ThrowawayProcess.start(
            lapse,
            [
                "work", "--redis", server.url, "--stream", stream.key, "--group", stream.group, "--webhook",
                receiver.url, "--concurrency", "\(Self.atOnce)",
            ])
        try await waitUntil("the worker reads", within: .seconds(20)) {
            try await stream.isRead() ? nil : process.output
        }
        let cost = try await measure(process, receiver) { try await stream.fill(events) }
        try await waitUntil("every entry is acknowledged", within: .seconds(10)) {
            let pending = try await stream.pending()
            return pending == 0 ? nil : "\(pending) are not; \(process.output)"
        }
        await process.kill()
        await server.shutDown()
        await receiver.stop()
        return cost
    }

    /// Throws unless each webhook has come, and came once.
    private func measure(
        _ process: ThrowawayProcess, _ receiver: WebhookReceiver, begin: () async throws -> Void
    ) async throws -> Cost {
        let measured = try await Measurement.of(process) {
            try await begin()
            // The receiver has the time of each: the pause between two looks is not measured.
            try await waitUntil(
                "every webhook has come", within: .seconds(30 + events / 500), every: .milliseconds(250)
            ) {
                let counts = try receiver.counts()
                return counts.distinct >= events ? nil : "\(counts.distinct) of \(events) have; \(process.output)"
            }
        }
        // It has rested since: what was posted twice is here too.
        let counts = try receiver.counts()
        guard counts.requests == events, counts.distinct == events else {
            throw ThrowawayRedisError(
                "\(counts.requests) requests with \(counts.distinct) ids for \(events) webhooks; \(process.output)")
        }
        return Cost(processorTime: measured.processorTime, counts: counts)
    }
}
