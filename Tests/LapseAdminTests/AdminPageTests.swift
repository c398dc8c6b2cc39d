import Foundation
import LapseAdmin
import Testing

@testable import Lapse

/// The page at `/`, and what keeps it up to date.
@Suite(.timeLimit(.minutes(1))) struct AdminPageTests {
    private func group(_ subject: String = "key") -> GroupView {
        GroupView(
            name: "sessions", id: "a", version: "1", role: "leading", leader: "a", term: 3, since: 1, leaseLeft: 2.5,
            leaseLength: 8, inFlight: 0, pause: nil, troubles: [],
            nodes: [.init(address: "10.0.0.1:6379", role: "master", feed: "subscribed", backlog: 4)],
            replicas: [.init(id: "a", version: "1", behind: 0, leads: true)],
            recent: ["handled": [.init(at: 1, subject: subject, node: nil, detail: "live")]], now: 5)
    }

    /// What comes of the events until `end` stands in it.
    private func events(_ admin: RunningAdmin, until end: String) async throws -> String {
        try await admin.listen("GET /events HTTP/1.1\r\nHost: a\r\n\r\n", until: end)
    }

    @Test func itIsOneDocumentThatAsksNothingOfOthers() async throws {
        try await RunningAdmin.run { admin in
            let answer = try await admin.exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            let nonce = try #require(answer.firstMatch(of: /script-src 'nonce-([a-z0-9]+)'/)).1
            #expect(nonce.utf8.count > 16)
            for word in ["default-src 'none'", "connect-src 'self'", "base-uri 'none'", "frame-ancestors 'none'"] {
                #expect(answer.contains(word))
            }
            #expect(!answer.contains("unsafe-") && answer.contains("<script nonce=\"\(nonce)\">"))
            let body = try #require(answer.range(of: "<!doctype html>")).lowerBound
            let page = answer[body...]
            #expect(!page.contains("src=") && !page.contains("url(") && !page.contains("innerHTML"))
            let addresses = page.matches(of: /https?:\/\/[^"]*/).map { String($0.0) }
            #expect(addresses == ["http://www.w3.org/2000/svg"], "the name of a vocabulary, and no place")
            let again = try await admin.exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            #expect(!again.contains(nonce))
        }
    }

    @Test func aKeyCannotLeaveItsLine() async throws {
        var source = StubSource()
        source.group = group("</script>\n\ndata: forged\r\n\u{2028}")
        try await RunningAdmin.run(source) { admin in
            let text = try await events(admin, until: "\"leaseLength\"")
            #expect(text.contains("event: past\ndata: {\"points\":[]}\n\n"))
            #expect(text.contains("event: tick\ndata: {"))
            #expect(text.contains(#"data: forged\r\n"#) && !text.contains("\ndata: forged"))
            #expect(text.contains("Content-Type: text/event-stream"))
        }
    }

    @Test func onlySoManyPagesAreKeptUpToDate() async throws {
        var limits = AdminLimits()
        limits.viewers = 0
        try await RunningAdmin.run(limits: limits) { admin in
            let (events, page) = (try await admin.get("/events"), try await admin.get("/"))
            #expect(events.status == 503 && page.status == 200)
        }
    }

    /// Its body returns while a page is open: the server must end all the same, which the time limit of the
    /// suite sees.
    @Test func anOpenPageDoesNotKeepThePortOpen() async throws {
        var source = StubSource()
        source.group = group()
        try await RunningAdmin.run(source) { admin in
            _ = try await events(admin, until: "\"leaseLength\"")
        }
    }
}
