import RedisClient
import Testing

@testable import Lapse

struct NodesOutOfReachTests {
    private let node = NodeAddress(host: "10.0.0.1", port: 6379)
    private let other = NodeAddress(host: "10.0.0.2", port: 6379)

    @Test("after a failure nobody asks for a while, then one alone, and its answer opens the way")
    func oneTriesForAll() {
        var nodes = NodesOutOfReach(pause: .seconds(1))
        let first = (0..<3).map { _ in nodes.mayAsk(node, now: .zero) }
        #expect(first == [true, true, true])
        nodes.failed(node, now: .seconds(1))
        let soon = nodes.mayAsk(node, now: .milliseconds(1_900))
        let elsewhere = nodes.mayAsk(other, now: .milliseconds(1_900))
        #expect(!soon && elsewhere)
        let tries = (0..<3).map { _ in nodes.mayAsk(node, now: .seconds(2)) }
        #expect(tries == [true, false, false])
        nodes.failed(node, now: .seconds(2))
        let again = nodes.mayAsk(node, now: .milliseconds(2_500))
        #expect(!again)
        let later = nodes.mayAsk(node, now: .seconds(3))
        nodes.answered(node)
        let open = nodes.mayAsk(node, now: .seconds(3))
        #expect(later && open)
    }
}
