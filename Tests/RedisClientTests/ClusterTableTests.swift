import NIOCore
import RESP
import Testing

@testable import RedisClient

struct ClusterTableTests {
    private static let answer = """
        a 10.0.0.1:6379@16379 myself,master - 0 1700000000000 1 connected 0-100 [5->-b]
        b 10.0.0.2:6379@16379 master - 0 1700000000123 2 connected 101-200
        c 10.0.0.3:6379@16379 slave a 0 1700000000456 1 connected
        """

    private func table(_ text: String) -> ClusterTable { ClusterTable(.bulk(ByteBuffer(string: text))) }

    private func answer(_ change: String, to other: String) -> ClusterTable {
        let changed = Self.answer.replacing(change, with: other)
        #expect(changed != Self.answer)
        return table(changed)
    }

    private func isNews(_ other: ClusterTable) -> Bool { !other.saysTheSame(as: table(Self.answer)) }

    @Test func pingsLinksOrderAndWhoWasAskedAreNoNews() {
        #expect(!isNews(answer("0 1700000000123", to: "1700000001000 1700000000999")))
        #expect(!isNews(answer("2 connected", to: "2 disconnected")))
        #expect(!isNews(table(Self.answer.split(separator: "\n").reversed().joined(separator: "\r\n") + "\r\n")))
        #expect(!isNews(answer("myself,", to: "")))
    }

    @Test(arguments: [
        ("b 10", "d 10"), ("10.0.0.2", "10.0.0.4"), ("slave a", "slave b"),
        ("master - 0 1700000000123", "master,fail? - 0 1"),
        ("slave a", "master -"), (" 2 connected", " 3 connected"), ("101-200", "101-199 201"), (" [5->-b]", ""),
        ("\nc 10.0.0.3:6379@16379 slave a 0 1700000000456 1 connected", ""),
    ])
    func everythingElseIs(_ change: String, _ other: String) { #expect(isNews(answer(change, to: other))) }

    @Test func knowsTheRoleOfWhoWasAsked() {
        #expect(table(Self.answer).ownRole == .master)
        #expect(table("c 10.0.0.3:6379@16379 myself,slave a 0 0 1 connected").ownRole == .replica)
        #expect(answer("myself,", to: "").ownRole == nil)
    }

    /// A host that is left out is the host that was asked: the same words of two nodes do not mean the
    /// same.
    @Test func knowsWhetherAHostIsLeftOut() {
        #expect(table(Self.answer).namesEveryHost)
        #expect(!answer("10.0.0.1:6379", to: ":6379").namesEveryHost)
    }

    @Test func anAnswerThatIsNoTextSaysNothing() {
        #expect(ClusterTable(.null).saysTheSame(as: table("")))
        #expect(ClusterTable(.null).ownRole == nil)
    }
}
