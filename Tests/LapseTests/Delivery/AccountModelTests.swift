import LeaderElection
import Testing

@testable import Lapse

/// Random traffic on two logs, with a predecessor's pending ones, ignored ones, lost ones and dead
/// letters: whatever is announced is in exactly one place, after every step (I9).
struct AccountModelTests {
    private struct Model {
        var machine = DeliveryMachine.leading()
        var random: RandomSource
        var underWay: [Delivery] = []
        /// Announced, by log.
        var head: [String: UInt64] = ["a": 0, "b": 40]
        var expected: [String: NodeAccount] = ["a": NodeAccount(), "b": NodeAccount()]
        var now = Duration.zero

        init(seed: UInt64) {
            random = RandomSource.seeded(seed)
            machine.cursors.open("a", at: Cursor(through: 0))
            machine.cursors.open("b", at: Cursor(through: 40, pending: [31, 35, 36]))
            expected["b"]?.announced = 3
            machine.admitHere(.some("x", 31, runID: "b"))
            machine.admitHere(.some("x", 35, runID: "b"))
            expected["b"]?.pending = 2
            machine.cursors.finish("b", 36, as: .lost)
            expected["b"]?.lost = 1
            check("the begin")
        }

        mutating func through(_ log: String) -> UInt64 { machine.cursor(log)?.through ?? 0 }

        mutating func change(_ log: String, _ body: (inout NodeAccount) -> Void) {
            var account = expected[log] ?? NodeAccount()
            body(&account)
            expected[log] = account
        }

        /// Takes up the next one, or passes over some.
        mutating func move(_ log: String) {
            let waiting = (head[log] ?? 0) - through(log)
            guard waiting > 0 else { return }
            switch Int.random(in: 0..<6, using: &random) {
            case 0:
                machine.cursors.skip(log, through: through(log) + 1, as: .ignored)
                change(log) { $0.ignored += 1 }
            case 1:
                let hole = UInt64.random(in: 1...waiting, using: &random)
                machine.cursors.skip(log, through: through(log) + hole, as: .lost)
                change(log) { $0.lost += hole }
            default:
                machine.admitHere(.some("key\(Int.random(in: 0..<4, using: &random))", through(log) + 1, runID: log))
                change(log) { $0.pending += 1 }
            }
        }

        mutating func end(_ index: Int) {
            let delivery = underWay.remove(at: index)
            let isDead = Int.random(in: 0..<5, using: &random) == 0
            machine.finish(delivery, as: isDead ? .deadLettered : .handled)
            change(delivery.runID) { account in
                account.pending -= 1
                if isDead { account.deadLettered += 1 } else { account.handled += 1 }
            }
        }

        mutating func check(_ step: String) {
            for log in ["a", "b"] {
                guard let account = machine.cursors.account(log, last: head[log] ?? 0) else {
                    Issue.record("no account of \(log)")
                    continue
                }
                var wanted = expected[log] ?? NodeAccount()
                wanted.waiting = (head[log] ?? 0) - through(log)
                wanted.announced = (head[log] ?? 0) - (log == "b" ? 40 : 0) + (log == "b" ? 3 : 0)
                #expect(account.imbalance == 0, "after \(step): \(account)")
                #expect(account == wanted, "after \(step)")
            }
        }

        mutating func step() {
            now += .milliseconds(Int.random(in: 0...20, using: &random))
            let log = Bool.random(using: &random) ? "a" : "b"
            switch Int.random(in: 0..<10, using: &random) {
            case 0...2: head[log, default: 0] += UInt64.random(in: 1...5, using: &random)
            case 3...5: move(log)
            case 6: underWay += machine.take(Int.random(in: 0...4, using: &random))
            case 7: if let index = underWay.indices.randomElement(using: &random) { end(index) }
            case 8:
                guard let index = underWay.indices.randomElement(using: &random) else { return }
                let delivery = underWay.remove(at: index)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: machine.giveBack([delivery])
                case 1: machine.postpone(delivery, to: now + .milliseconds(30))
                default: machine.retry(delivery, at: now + .milliseconds(30))
                }
            default: _ = machine.releaseDue(now: now)
            }
        }
    }

    @Test(arguments: 0..<30)
    func balancesAfterEveryStep(_ seed: UInt64) {
        var model = Model(seed: seed)
        for step in 0..<500 {
            model.step()
            model.check("step \(step)")
        }
        #expect(model.expected.values.contains { $0.handled > 0 && $0.lost > 0 && $0.ignored > 0 })
    }

    @Test("what would be counted twice or not at all shows as an imbalance")
    func imbalanceIsSeen() throws {
        var machine = DeliveryMachine.leading()
        machine.cursors.open("run", at: Cursor(through: 0))
        machine.admitHere(.some("a", 1))
        let delivery = machine.take(1)[0]
        machine.finish(delivery)
        #expect(machine.cursors.account("run", last: 1)?.imbalance == 0)
        machine.cursors.finish("run", 1, as: .handled)
        #expect(machine.cursors.account("run", last: 1)?.imbalance == -1, "finished twice")
        machine.admitHere(.some("b", 4))
        #expect(machine.cursors.account("run", last: 4)?.imbalance == 1, "2 and 3 were passed over unseen")
    }

    @Test func whatAPredecessorHadHeardIsNotAnnouncedAgain() {
        var machine = DeliveryMachine.leading()
        machine.cursors.open("run", at: Cursor(through: 9))
        #expect(machine.cursors.account("run", last: 7) == NodeAccount(), "this replica has heard less so far")
    }
}
