import Foundation
import LapseAdmin
import Synchronization
import Testing

@testable import Lapse

private enum Browser {
    static let path = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]
        .first { FileManager.default.isExecutableFile(atPath: $0) }
}

/// The page as a browser shows it, where there is one: Chromium without a window.
@Suite(.timeLimit(.minutes(1)), .enabled(if: Browser.path != nil, "no Chromium on this machine"))
struct PageInBrowserTests {
    private static let hostile =
        #"<img src=x onerror="document.title='owned'"></script><script>document.title='owned'</script>"#

    private var group: GroupView {
        var account = NodeAccount()
        account.lost = 17
        return GroupView(
            name: Self.hostile, id: "a", version: "1", role: "following", leader: "b" + Self.hostile, term: 3,
            since: 1000,
            leaseLeft: 2.5, leaseLength: 8, inFlight: 0,
            pause: .init(author: Self.hostile, remaining: .seconds(42)), troubles: [Self.hostile],
            nodes: (0..<100).map { number in
                .init(
                    address: "10.0.0.\(number):6379", role: "master", feed: number == 77 ? "down" : "subscribed",
                    error: number == 77 ? Self.hostile : nil, position: 1_234_567, backlog: 4,
                    account: number == 40 ? account : NodeAccount())
            },
            replicas: [.init(id: "a", version: "1", behind: 3, leads: false), .init(id: "b", leads: true)],
            recent: Dictionary(
                uniqueKeysWithValues: RecentEvents.Kind.allCases.map { kind in
                    (kind.rawValue, [.init(at: 1, subject: Self.hostile, node: Self.hostile, detail: Self.hostile)])
                }), now: 61_000)
    }

    /// The document after its script has run for a while.
    private func document(at address: String) async throws -> String {
        let profile = FileManager.default.temporaryDirectory.appending(path: "page-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: profile) }
        let process = Process()
        process.executableURL = URL(filePath: try #require(Browser.path))
        process.arguments = [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--user-data-dir=\(profile.path)", "--timeout=5000",
            "--dump-dom", address,
        ]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        let text = Mutex(Data())
        output.fileHandleForReading.readabilityHandler = { handle in
            let data = handle.availableData
            if data.isEmpty { handle.readabilityHandler = nil }
            text.withLock { $0 += data }
        }
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            process.terminationHandler = { _ in continuation.resume() }
            do { try process.run() } catch { continuation.resume(throwing: error) }
        }
        return String(decoding: text.withLock { $0 }, as: UTF8.self)
    }

    @Test func everythingIsShownAndNothingOfItIsMarkup() async throws {
        var source = StubSource()
        source.group = group
        try await RunningAdmin.run(source) { admin in
            var page = ""
            // The browser tells what is there once the document has loaded: on a busy machine before the first
            // news has come.
            for _ in 0..<10 where !page.contains("<tr data-key") {
                page = try await document(at: "http://127.0.0.1:\(admin.port)/")
            }
            let escaped = Self.hostile.replacing("<", with: "&lt;").replacing(">", with: "&gt;")
            #expect(page.contains("<title>b\(escaped) leads"), "\(page.prefix(300))")
            #expect(!page.contains("<img") && !page.contains("<title>owned"))
            #expect(page.matches(of: /<tr data-key="10\.0\.0\./).count == 100)
            let first = try #require(page.firstRange(of: "<tr data-key=\"10.0.0."))
            #expect(page[first.lowerBound...].hasPrefix("<tr data-key=\"10.0.0.77:"), "trouble stands first")
            for text in [
                "✗ not subscribed", "✓ subscribed", "✗ 17", "★ leader", "‖ Paused by", "1,234,567",
                "lease 2.5 of 8 s left",
                "since 1970-01-01 00:00:01 UTC (1 min 0 s)", "Nodes (100)",
            ] { #expect(page.contains(text), "\(text)") }
        }
    }
}
