import Endpoints
import Foundation
import Lapse
import LeaderElection
import Synchronization
import Testing

@testable import LapseWebhook

struct WebhookTests {
    /// A file with this in it, for the length of a test.
    private func secret(_ text: String) throws -> SecretFile {
        let file = FileManager.default.temporaryDirectory.appending(path: "secret-\(UUID())")
        try Data(text.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        return try SecretFile(file.path)
    }

    @Test("the example of Standard Webhooks is signed as they sign it, and each secret has its signature")
    func signature() throws {
        let example = try secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")
        let other = try secret("whsec_" + Data(repeating: 7, count: 32).base64EncodedString())
        func sign(_ files: [SecretFile]) throws -> String? {
            try WebhookSecrets(files).signature(
                id: "msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp: 1_614_265_330, body: Array(#"{"test": 2432232314}"#.utf8)
            )
        }
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        #expect(try sign([example]) == expected)
        #expect(try sign([]) == nil)
        let two = try #require(try sign([other, example])).split(separator: " ")
        #expect(two.count == 2 && two[1] == expected && two[0] != two[1])
    }

    @Test("a file that holds no secret any more is told once, and posts stay signed")
    func aBadRotation() throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "secret-\(UUID())")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".utf8).write(to: file)
        let told = Mutex<[String]>([])
        let secrets = try WebhookSecrets([SecretFile(file.path)]) { text in told.withLock { $0.append(text) } }
        let before = secrets.signature(id: "a", timestamp: 1, body: [])
        try Data("swordfish".utf8).write(to: file)
        #expect(secrets.signature(id: "a", timestamp: 1, body: []) == before && before != nil)
        #expect(secrets.signature(id: "a", timestamp: 1, body: []) == before)
        #expect(told.withLock { $0.count } == 1 && told.withLock { $0.first }?.contains("swordfish") == false)
    }

    @Test(arguments: ["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_", "whsec_c2hvcnQ=", "whsec_!!!"])
    func whatIsNoSecretIsRefused(_ text: String) throws {
        let file = try secret(text)
        let error = #expect(throws: WebhookSecrets.Unusable.self) { try WebhookSecrets([file]) }
        let shown = text.replacing("whsec_", with: "")
        #expect(
            error != nil && (shown.isEmpty || error?.description.contains(shown) == false), "the secret is not shown")
    }

    @Test(
        arguments: [
            (200, nil), (204, nil), (408, .asConfigured), (425, .asConfigured), (500, .asConfigured),
            (503, .asConfigured),
            (301, .pointless), (400, .pointless), (404, .pointless), (410, .pointless),
        ] as [(UInt, AnotherAttempt?)])
    func whatAnAnswerMeans(_ status: UInt, _ expected: AnotherAttempt?) {
        #expect(WebhookAnswer.status(status, retryAfter: nil).failure?.anotherAttempt == expected)
    }

    @Test("Retry-After is heeded up to a minute")
    func retryAfter() {
        func wait(_ header: String?) -> AnotherAttempt? {
            WebhookAnswer.status(429, retryAfter: WebhookAnswer.retryAfter(header)).failure?.anotherAttempt
        }
        #expect(wait("7") == .notBefore(.seconds(7)))
        #expect(wait("100000") == .notBefore(.seconds(60)))
        for header in [nil, "-1", "soon", "99999999999999999999", "Wed, 21 Oct 2026 07:28:00 GMT"] {
            #expect(wait(header) == .asConfigured)
        }
    }

    @Test("an id is the same at each attempt, and another for another expiration")
    func ids() {
        func expiration(_ key: String, _ ordinal: UInt64, value: String? = nil) -> Expiration {
            Expiration(
                key: ExpirationKey(key), position: Position(runID: "run", ordinal: ordinal),
                value: value.map { Array($0.utf8) })
        }
        #expect(WebhookHandler.id(expiration("a", 5)) == "run-5")
        #expect(WebhookHandler.id(expiration("a", 0, value: "1")) == WebhookHandler.id(expiration("a", 0, value: "1")))
        #expect(WebhookHandler.id(expiration("a", 0, value: "1")) != WebhookHandler.id(expiration("a", 0, value: "2")))
        #expect(WebhookHandler.id(expiration("a", 0, value: "b")) != WebhookHandler.id(expiration("ab", 0)))
    }

    @Test(arguments: [
        "", "example.com/hook", "ftp://example.com/", "https://", "https://user@example.com/", "https://a/#b",
    ])
    func whatIsNoURLIsRefused(_ text: String) {
        #expect(throws: WebhookURL.Malformed.self) { try WebhookURL(parsing: text) }
    }
}
