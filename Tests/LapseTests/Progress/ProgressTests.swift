import Testing

@testable import Lapse

struct ProgressTests {
    private func progress(
        _ runID: String = "aa", through: UInt64 = 9, pending: PendingOrdinals = [], token: UInt64 = 1,
        write: UInt64 = 1,
        base: Int64 = 0, node: String = "10.0.0.1:6379"
    ) -> Progress {
        Progress(
            runID: runID, node: node, base: base, cursor: Cursor(through: through, pending: pending), token: token,
            write: write)
    }

    @Test(
        arguments: [
            [], [1], [3, 7, 8, 9], [1, 2, 3], [1, 3, 5, 6, 100], [(1 << 50) - 1, 1 << 50],
        ] as [PendingOrdinals])
    func comesBackAsItWasWritten(_ pending: PendingOrdinals) {
        for base: Int64 in [0, 1_003, 1 << 50] {
            for node in ["10.0.0.1:6379", "[::1]:6379", "redis-0.redis.svc:6379"] {
                let one = progress(through: 1 << 50, pending: pending, token: 1 << 52, write: 8, base: base, node: node)
                #expect(Progress(field: one.field, text: one.text) == one)
            }
        }
    }

    @Test func anAccountReadsAsItWasWritten() throws {
        var account = NodeAccount()
        (account.announced, account.handled, account.deadLettered, account.pending) = (28, 1, 2, 3)
        (account.waiting, account.lost, account.ignored, account.unannounced) = (4, 5, 6, 7)
        let progress = Progress(
            runID: "abc", node: "10.0.0.1:1", base: 0, cursor: Cursor(through: 1), token: 7, write: 8, account: account)
        let published = try #require(PublishedAccount(progress))
        #expect(published.text == "7 8 28 1 2 3 4 5 6 7")
        #expect(PublishedAccount(field: "account:abc", text: published.text) == published)
        #expect(Progress(field: "account:abc", text: published.text) == nil)
        #expect(PublishedAccount(field: "account:abc", text: "7 8 21") == nil)
        #expect(PublishedAccount(field: progress.field, text: published.text) == nil)
        #expect(account.imbalance == 0)
    }

    @Test func pendingOnesAreWrittenAsRanges() {
        #expect(progress(pending: []).text == "1 1 9 0 10.0.0.1:6379 -")
        #expect(progress(pending: [9, 3, 8, 7]).text == "1 1 9 0 10.0.0.1:6379 3,7-9")
        #expect(progress("beef").field == "log:beef")
    }

    @Test(arguments: [
        ("token", "1 1 9 0 n -"), ("log:a", ""), ("log:a", "1 1 9 0 n"), ("log:a", "x 1 9 0 n -"),
        ("log:a", "1 1 9 0 n 5-3"), ("log:a", "1 1 9 0 n x"), ("log:a", "1 1 -9 0 n -"), ("log:a", "1 1 9 0 n - -"),
        ("log:a", "1 1 9 0 n 1-99999999999"),
    ])
    func whatMakesNoSenseIsNotRead(_ field: String, _ text: String) {
        #expect(Progress(field: field, text: text) == nil)
    }

    @Test func ofSeveralRegistersTheNewestCounts() {
        let old = progress(through: 500, token: 7, write: 90)
        let laterWrite = progress(through: 9, token: 8, write: 2)
        let earlierWrite = progress(through: 400, token: 8, write: 1)
        let other = progress("bb", through: 3, token: 1)
        let orders = [
            [old, laterWrite, earlierWrite], [laterWrite, earlierWrite, old], [earlierWrite, old, laterWrite],
        ]
        for order in orders {
            let tables = order.map { [$0.runID: $0] } + [["bb": other], [:]]
            #expect(Progress.newest(tables) == ["aa": laterWrite, "bb": other], "the token first, then the write")
        }
        #expect(Progress.newest([]).isEmpty)
    }
}
