import Logging
import Synchronization
import Testing
import ThrowawayRedis

@testable import Lapse

/// What the article's program got wrong after the election: it blocked its feeds with its handler,
/// never retried, and never subscribed again.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct DeliveryFaultTests {
    /// What a handler saw, and a gate that holds it up.
    private final class Seen: Sendable {
        struct State {
            var attempts: [String: Int] = [:]
            var handled: Set<String> = []
            var isOpen = true
        }

        let state = Mutex(State())

        var handled: Set<String> { state.withLock { $0.handled } }

        func pass() async throws {
            while !state.withLock({ $0.isOpen }) { try await Task.sleep(for: .milliseconds(1)) }
        }
    }

    private func withProcessor(
        _ seen: Seen, concurrency: Int, handler: @escaping ExpirationHandler,
        _ body: (ThrowawayServer, ExpirationProcessor) async throws -> Void
    ) async throws {
        let server = try await ThrowawayServer.start()
        var configuration = ProcessorConfiguration(redis: [server.url], name: "faults")
        configuration.leaseTTL = .seconds(1)
        configuration.concurrency = concurrency
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let processor = ExpirationProcessor(configuration: configuration, logger: logger, handler: handler)
        let run = Task { try await processor.run() }
        try await waitUntil("it leads and listens", within: .seconds(30)) {
            guard let status = processor.status, status.isLeader else { return "it does not lead" }
            return status.nodes.allSatisfy(\.isSubscribed) ? nil : "it does not listen"
        }
        try await body(server, processor)
        processor.stop()
        try await run.value
        await server.shutDown()
    }

    private func arm(_ server: ThrowawayServer, _ keys: [String]) async throws {
        _ = try await server.script(keys.map { "SET \($0) 1 PX 50" }, within: .seconds(20))
    }

    private func waitUntilHandled(_ keys: [String], by seen: Seen) async throws {
        try await waitUntil("\(keys.count) keys are handled", within: .seconds(30)) {
            let handled = seen.handled
            let missing = keys.filter { !handled.contains($0) }
            return missing.isEmpty ? nil : "\(missing.count) are missing"
        }
    }

    @Test("the article's handler blocked every feed: here everything is heard while the only handler stands still")
    func aHandlerThatStandsStillHoldsNoFeedBack() async throws {
        let seen = Seen()
        seen.state.withLock { $0.isOpen = false }
        let keys = (0..<300).map { "k:\($0)" }
        try await withProcessor(seen, concurrency: 1) { expiration, _ in
            try await seen.pass()
            seen.state.withLock { _ = $0.handled.insert(expiration.key.description) }
        } _: { server, processor in
            try await arm(server, keys)
            try await waitUntil("everything is heard", within: .seconds(30)) {
                let received = processor.status?.nodes.reduce(0) { $0 + $1.received } ?? 0
                return received >= 300 ? nil : "\(received) are"
            }
            #expect(seen.handled.isEmpty)
            seen.state.withLock { $0.isOpen = true }
            try await waitUntilHandled(keys, by: seen)
        }
    }

    @Test("the article never retried: here a handler that throws is called again")
    func aHandlerThatThrowsIsCalledAgain() async throws {
        struct Unlucky: Error {}
        let seen = Seen()
        try await withProcessor(seen, concurrency: 4) { expiration, context in
            let key = expiration.key.description
            let attempt = seen.state.withLock { state in
                state.attempts[key, default: 0] += 1
                return state.attempts[key, default: 0]
            }
            #expect(context.attempt == attempt)
            if attempt < 3 { throw Unlucky() }
            seen.state.withLock { _ = $0.handled.insert(key) }
        } _: { server, _ in
            try await arm(server, ["a", "b"])
            try await waitUntilHandled(["a", "b"], by: seen)
            #expect(seen.state.withLock { $0.attempts } == ["a": 3, "b": 3])
        }
    }

    @Test("the article never subscribed again: here a subscription that was cut is made anew")
    func aCutSubscriptionIsMadeAnew() async throws {
        let seen = Seen()
        try await withProcessor(seen, concurrency: 4) { expiration, _ in
            seen.state.withLock { _ = $0.handled.insert(expiration.key.description) }
        } _: { server, _ in
            for round in 0..<3 {
                let cut = try await server.cli("CLIENT", "KILL", "TYPE", "pubsub")
                #expect(cut.contains("1"), "nothing was cut: \(cut)")
                try await waitUntil("it listens again", within: .seconds(20)) {
                    try await server.cli("PUBSUB", "NUMSUB", "__keyevent@0__:expired").contains("1") ? nil : "not yet"
                }
                try await arm(server, ["round:\(round)"])
                try await waitUntilHandled(["round:\(round)"], by: seen)
            }
        }
    }
}
