import RESP
import RedisClient
import Testing

@testable import Lapse

/// Row 52: what a majority that cannot be read lacks.
struct ProgressTroubleTests {
    private let forbids = RedisError(
        RESPError("NOPERM User lapse has no permissions to run the 'hgetall' command"),
        node: NodeAddress(host: "10.0.0.1", port: 6379))
    private let isAway = RedisError(
        .timeout, node: NodeAddress(host: "10.0.0.2", port: 6379), "no answer within 2 s")

    private func trouble(_ errors: [RedisError?]) -> ProgressTrouble {
        ProgressKeeper.trouble(
            errors.enumerated().map { .init(register: "\($0)", value: $1 == nil ? .integer(1) : nil, error: $1) })
    }

    @Test func oneThatForbidsBesideOneThatIsAwayPasses() {
        #expect(!trouble([forbids, isAway, nil]).isForbidden)
        #expect(trouble([forbids, isAway, nil]).register == "1")
        #expect(!trouble([forbids, isAway, isAway]).isForbidden)
    }

    @Test("a register that forbids is known as such until it answers, also while it or another one is away")
    func registersThatForbid() {
        func replies(_ errors: [RedisError?]) -> [ProgressKeeper.Reply] {
            errors.enumerated().map { .init(register: "\($0)", value: $1 == nil ? .integer(1) : nil, error: $1) }
        }
        var troubles = ProgressTroubles()
        troubles.read(replies([forbids, isAway, nil]))
        #expect(troubles.forbidding.keys.sorted() == ["0"])
        #expect(troubles.forbidding["0"]?.text.contains("hgetall") == true)
        troubles.read(replies([isAway, nil, forbids]))
        #expect(troubles.forbidding.keys.sorted() == ["0", "2"])
        troubles.read(replies([nil, nil, isAway]))
        #expect(troubles.forbidding.keys.sorted() == ["2"])
    }

    @Test func aMajorityThatForbidsDoesNot() {
        #expect(trouble([forbids, forbids, nil]).isForbidden)
        #expect(trouble([forbids, isAway, forbids]).isForbidden)
        #expect(trouble([forbids]).isForbidden)
    }
}
