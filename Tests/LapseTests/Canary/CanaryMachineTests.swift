import Testing

@testable import Lapse

/// One machine and its time.
private final class Watch {
    private static let start = Duration.seconds(1_000)
    var machine = CanaryMachine(interval: .seconds(30), patience: .seconds(5), now: start)
    var now = start

    /// Runs until one is set; nil when that takes more than a minute.
    func untilArmed(_ process: String? = "a") -> Duration? {
        let begun = now
        while now - begun <= .seconds(60) {
            switch machine.next(process: process, now: now).step {
            case .arm: return now - begun
            case .ask: break
            case .wait(let until): now = max(until, now + .milliseconds(1))
            }
        }
        return nil
    }

    func heard() -> (lag: Duration, news: CanaryMachine.News?)? { machine.heard(now: now) }

    func next(_ process: String?) -> CanaryMachine.News? { machine.next(process: process, now: now).news }

    /// Lets the one that was just set come to nothing; what was said, and how often it was asked for.
    func lose() -> (news: CanaryMachine.News?, asked: Int) {
        var asked = 0
        while true {
            let (step, news) = machine.next(process: "a", now: now)
            if let news { return (news, asked) }
            switch step {
            case .arm: return (nil, asked)
            case .ask: asked += 1
            case .wait(let until): now = max(until, now + .milliseconds(1))
            }
        }
    }
}

struct CanaryMachineTests {
    private let watch = Watch()

    @Test func oneThatComesBackIsFollowedAfterTheInterval() throws {
        #expect(watch.untilArmed() == .zero)
        watch.now += .milliseconds(103)
        let heard = try #require(watch.heard())
        #expect(heard.lag == .milliseconds(3) && heard.news == nil)
        #expect(watch.heard() == nil, "it is awaited no more")
        #expect(watch.machine.age(watch.now + .seconds(2)) == .seconds(2))
        #expect(watch.untilArmed() == .milliseconds(30_000 - 103))
    }

    @Test func twoInARowAreMissingUntilOneComesBack() throws {
        #expect(watch.untilArmed() == .zero)
        let first = watch.lose()
        #expect(first.news == .lost && !watch.machine.isMissing)
        #expect((5...20).contains(first.asked), "it is asked for, but not all the time")
        #expect(watch.untilArmed() == .zero, "the next one follows at once")
        #expect(watch.lose().news == .missing && watch.machine.isMissing)
        #expect(watch.untilArmed() == .seconds(1))
        #expect(watch.lose().news == .lost, "it is told once")
        #expect(watch.machine.age(watch.now) >= .seconds(15))
        _ = watch.untilArmed()
        #expect(try #require(watch.heard()).news == .returned)
        #expect(!watch.machine.isMissing)
    }

    @Test func oneThatComesBackBreaksTheRow() throws {
        for _ in 0..<3 {
            _ = watch.untilArmed()
            #expect(watch.lose().news == .lost)
            _ = watch.untilArmed()
            #expect(try #require(watch.heard()).news == nil)
        }
    }

    @Test func whatAnotherProcessTakesIsNoLoss() {
        for process in ["b", "c", "a", "b"] {
            #expect(watch.untilArmed("a") != nil)
            #expect(watch.next(process == "a" ? nil : process) == nil)
            #expect(!watch.machine.isAway && watch.machine.losses == 0)
        }
        #expect(watch.heard() == nil)
    }

    @Test func noneIsSetWhereNoFeedListens() {
        #expect(watch.untilArmed(nil) == nil)
        #expect(watch.machine.age(watch.now) >= .seconds(60), "the age says so")
    }

    @Test func aRefusalIsTriedAgainAfterTheInterval() {
        #expect(watch.untilArmed() == .zero)
        watch.machine.failed(isRefused: true, now: watch.now)
        #expect(watch.untilArmed() == .seconds(30))
        watch.machine.failed(isRefused: false, now: watch.now)
        #expect(watch.untilArmed() == .seconds(1))
        #expect(watch.machine.losses == 0)
    }
}
