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
