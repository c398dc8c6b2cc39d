import Foundation
import HTTPTypes
import Hummingbird
import Lapse
import LeaderElection
import Logging
import Synchronization
import Testing

@testable import LapseWebhook

/// Against a real HTTP receiver.
@Suite(.timeLimit(.minutes(1)))
struct WebhookReceiverTests {
    private struct Received: Sendable {
        var id: String?
        var attempt: String?
        var token: String?
        var body: String
    }

    /// Runs a receiver that answers with these, one after the other, and the last one again and again.
    private func receive(
        _ answers: [Response], _ body: (WebhookHandler, _ received: @Sendable () -> [Received]) async throws -> Void
    ) async throws {
        let received = Mutex<[Received]>([])
        let router = Router()
        router.post("/hook") { request, _ in
            let text = String(buffer: try await request.body.collect(upTo: 1 << 20))
            return received.withLock { received in
                func header(_ name: String) -> String? { HTTPField.Name(name).flatMap { request.headers[$0] } }
                received.append(
                    Received(
                        id: header("webhook-id"), attempt: header("lapse-attempt"), token: header("lapse-token"),
                        body: text))
                return answers[min(received.count, answers.count) - 1]
            }
        }
        let (ports, running) = AsyncStream.makeStream(of: Int.self)
        let application = Application(
            router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { running.yield($0.localAddress?.port ?? 0) },
            logger: Logger(label: "silent") { _ in SwiftLogNoOpLogHandler() })
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await application.runService(gracefulShutdownSignals: []) }
            for await port in ports.prefix(1) {
                let handler = try WebhookHandler(
                    WebhookURL(parsing: "http://127.0.0.1:\(port)/hook"), secrets: WebhookSecrets([]), files: nil,
                    replica: "a", timeout: .seconds(10), connections: 4)
                try await body(handler) { received.withLock { $0 } }
                await handler.shutDown()
            }
            tasks.cancelAll()
            try? await tasks.waitForAll()
        }
    }

    private func post(_ handler: WebhookHandler, _ key: String, attempt: Int = 1) async throws {
        let expiration = Expiration(
            key: ExpirationKey(key), position: Position(runID: "run", ordinal: 7))
        try await handler(expiration, .testing(expiration, token: FencingToken(rawValue: 9), term: 2, attempt: attempt))
    }

    @Test("what is posted names the position, the token and the facts; an attempt again has the same id")
    func posted() async throws {
        try await receive([Response(status: .serviceUnavailable), Response(status: .noContent)]) { handler, received in
            let error = await #expect(throws: WebhookFailed.self) { try await post(handler, "cart:1") }
            #expect(error?.anotherAttempt == .asConfigured)
            try await post(handler, "cart:1", attempt: 2)
            let all = received()
            #expect(all.map(\.id) == ["run-7", "run-7"] && all.map(\.attempt) == ["1", "2"] && all[0].token == "9")
            let object = try JSONSerialization.jsonObject(with: Data(all[0].body.utf8)) as? [String: Any]
            #expect(object?["type"] as? String == "key.expired")
            #expect((object?["timestamp"] as? String)?.contains(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) == true)
            let data = object?["data"] as? [String: Any]
            #expect(data?["key"] as? String == "cart:1" && data?["ordinal"] as? Int == 7 && data?["term"] as? Int == 2)
        }
    }

    private func expiration(_ ordinal: UInt64) -> Expiration {
        Expiration(key: ExpirationKey("cart:\(ordinal)"), position: Position(runID: "run", ordinal: ordinal))
    }

    private func objects(_ body: String) throws -> [[String: Any]] {
        try #require(JSONSerialization.jsonObject(with: Data(body.utf8)) as? [[String: Any]])
    }

    @Test(
        "a batch goes in one request, and each of it that comes again makes it the same request, once for each attempt")
    func batch() async throws {
        let answers = [Response(status: .serviceUnavailable), Response(status: .badGateway), Response(status: .ok)]
        try await receive(answers) { single, received in
            let handler = WebhookBatchHandler(single, size: 3, retries: 5)
            let context = BatchContext.testing(token: FencingToken(rawValue: 9), term: 2)
            await #expect(throws: WebhookFailed.self) {
                try await handler(ExpirationBatch(testing: (5...7).map { expiration($0) }), context)
            }
            func again(_ ordinal: UInt64, _ attempt: Int) async throws -> BatchResult {
                try await handler(ExpirationBatch(testing: [expiration(ordinal)], attempt: attempt), context)
            }
            // The first that comes again asks the receiver; the others are told what it said.
            for ordinal in [6, 5, 7] as [UInt64] {
                let error = await #expect(throws: WebhookFailed.self) { try await again(ordinal, 2) }
                #expect(error?.description.contains("502") == true && received().count == 2)
            }
            for ordinal in [7, 5, 6] as [UInt64] {
                #expect(try await again(ordinal, 3).failures.isEmpty)
                #expect(received().count == 3)
            }
            let all = received()
            #expect(Set(all.map(\.id)).count == 1 && all[0].id?.hasPrefix("batch-") == true)
            #expect(Set(all.map(\.body)).count == 1 && all.map(\.attempt) == ["1", "2", "3"])
            let objects = try objects(all[0].body)
            #expect(objects.map { $0["id"] as? String } == ["run-5", "run-6", "run-7"])
            #expect(
                objects.map { ($0["data"] as? [String: Any])?["key"] as? String } == ["cart:5", "cart:6", "cart:7"])
            // Nothing of it is left: the same comes as another one's repetition.
            #expect(try await again(6, 1).failures.isEmpty)
            #expect(received().last?.id == "run-6" && received().count == 4)
        }
    }

    @Test("what was given up is no part of its batch any more: the same is posted by itself")
    func buried() async throws {
        try await receive([Response(status: .serviceUnavailable)]) { single, received in
            let handler = WebhookBatchHandler(single, size: 3, retries: 5)
            let context = BatchContext.testing(token: FencingToken(rawValue: 9), term: 2)
            func post(_ ordinals: [UInt64], _ attempt: Int) async {
                await #expect(throws: WebhookFailed.self) {
                    try await handler(
                        ExpirationBatch(testing: ordinals.map { expiration($0) }, attempt: attempt), context)
                }
            }
            await post([5, 6], 1)
            handler.buried(expiration(6))
            await post([6], 1)
            #expect(received().last?.id == "run-6" && received().count == 2)
            await post([5], 2)
            #expect(received().map(\.id) == [received().first?.id, "run-6", received().first?.id])
        }
    }

    @Test("with no room to remember a batch, what the first of it is answered fails that one alone")
    func withoutRoom() async throws {
        try await receive([Response(status: .serviceUnavailable), Response(status: .badRequest)]) { single, received in
            let handler = WebhookBatchHandler(single, size: 3, retries: 5, memory: 1)
            let context = BatchContext.testing(token: FencingToken(rawValue: 9), term: 2)
            // It is remembered, and leaves no room.
            await #expect(throws: WebhookFailed.self) {
                try await handler(ExpirationBatch(testing: (1...2).map { expiration($0) }), context)
            }
            let result = try await handler(ExpirationBatch(testing: (5...7).map { expiration($0) }), context)
            #expect(received().count == 2 && received().last?.id == "run-5")
            let advice = (0..<3).map { (result.failures[$0] as? any AdvisesOnAttempts)?.anotherAttempt }
            let noAttempt = AnotherAttempt.whenPossible(after: .seconds(1), others: false)
            #expect(advice == [.pointless, noAttempt, noAttempt])
        }
    }

    @Test("a redirect is not followed, and a large body is not read to its end")
    func redirected() async throws {
        let large = ResponseBody { writer in
            while true { try await writer.write(ByteBuffer(repeating: 0x78, count: 1 << 16)) }
        }
        let answers = [
            Response(status: .temporaryRedirect, headers: [.location: "/hook"]), Response(status: .ok, body: large),
            Response(status: .ok),
        ]
        try await receive(answers) { handler, received in
            let error = await #expect(throws: WebhookFailed.self) { try await post(handler, "a") }
            #expect(error?.anotherAttempt == .pointless && received().count == 1)
            try await post(handler, "b")
            try await post(handler, "c")
            #expect(received().count == 3)
        }
    }

    @Test("a receiver that is not there is no end of it")
    func notThere() async throws {
        let handler = try WebhookHandler(
            WebhookURL(parsing: "http://127.0.0.1:1/hook"), secrets: WebhookSecrets([]), files: nil, replica: "a",
            timeout: .seconds(10), connections: 4)
        let error = await #expect(throws: WebhookFailed.self) { try await post(handler, "a") }
        #expect(error?.anotherAttempt == .asConfigured && error?.description.contains("127.0.0.1:1") == true)
        await handler.shutDown()
    }
}
