import Testing

@testable import Lapse

/// What a replica does about wishes, in simulated time.
@Suite struct SteeringMachineTests {
    private func wish(_ kind: Wish.Kind, _ nonce: Character = "a", token: UInt64 = 0, to target: String? = nil) -> Wish
    {
        Wish(
            kind, nonce: String(repeating: nonce, count: 32), made: 0, expires: 60, token: token, target: target,
            author: "operator")
    }

    private func standing(_ wish: Wish, age: Int = 0, left: Int = 60) -> StandingWish {
        StandingWish(wish: wish, age: .seconds(age), left: .seconds(left))
    }

    private func input(
        _ id: String = "a", leads: Bool = true, token: UInt64 = 5, latest: UInt64 = 5, alive: Set<String> = ["a", "b"],
        pause: StandingWish? = nil, stepDown: StandingWish? = nil, isFull: Bool = false, at seconds: Int = 0
    ) -> SteeringInput {
        SteeringInput(
            id: id, isLeader: leads, token: token, latestToken: latest, alive: alive, pause: pause, stepDown: stepDown,
            isLogNearlyFull: isFull, now: .seconds(seconds))
    }

    private var machine: SteeringMachine { SteeringMachine(longestPause: .seconds(60)) }

    // MARK: - Pause

    @Test func aPauseIsAnsweredOnceAndEndsWhenItIsTakenBack() {
        var machine = machine
        let wish = wish(.pause)
        let paused = machine.obey(input(pause: standing(wish, left: 20)))
        #expect(paused == [.pause(wish, for: .seconds(20)), .answer(nonce: wish.nonce, .paused, "20")])
        #expect(machine.obey(input(pause: standing(wish, age: 1, left: 19), at: 1)).isEmpty)
        let resumed = machine.obey(input(at: 2))
        #expect(resumed.count == 2 && machine.pause == nil)
        #expect(resumed.first.map { if case .goOn = $0 { true } else { false } } == true)
    }

    @Test func itEndsByItselfAlsoWhereNoRegisterAnswersAnyMore() {
        var machine = machine
        let wish = wish(.pause)
        _ = machine.obey(input(pause: standing(wish, left: 20)))
        // The registers' last word does not change.
        #expect(machine.obey(input(pause: standing(wish, left: 20), at: 19)).isEmpty)
        #expect(machine.obey(input(pause: standing(wish, left: 20), at: 20)).contains(.remove(wish)))
        #expect(machine.pause == nil)
        #expect(machine.obey(input(pause: standing(wish, left: 20), at: 21)).isEmpty, "it does not begin again")
    }

    @Test func itLastsNoLongerThanTheLogs() {
        var machine = machine
        let wish = wish(.pause)
        let first = machine.obey(input(pause: standing(wish, age: 10, left: 5000)))
        #expect(first.first == .pause(wish, for: .seconds(50)))
        var late = self.machine
        #expect(
            late.obey(input(pause: standing(wish, age: 61, left: 5000))).suffix(1) == [.remove(wish)],
            "a new leader counts its age")
    }

    @Test func aLogThatIsNearlyFullEndsIt() {
        var machine = machine
        let wish = wish(.pause)
        _ = machine.obey(input(pause: standing(wish)))
        let ended = machine.obey(input(pause: standing(wish), isFull: true, at: 1))
        #expect(ended.contains(.remove(wish)) && machine.pause == nil)
        #expect(machine.obey(input(pause: standing(wish), at: 2)).isEmpty)
    }

    @Test func onePauseThatCannotBeginIsAnswered() {
        var machine = machine
        let wish = wish(.pause)
        let said = machine.obey(input(pause: standing(wish), isFull: true))
        #expect(said == [.answer(nonce: wish.nonce, .resumed, "a log is nearly full"), .remove(wish)])
    }

    @Test func aFollowerPausesTooAndAnswersWhenItLeads() {
        var machine = machine
        let wish = wish(.pause)
        #expect(machine.obey(input(leads: false, token: 0, pause: standing(wish))) == [.pause(wish, for: .seconds(60))])
        let led = machine.obey(input(token: 6, latest: 6, pause: standing(wish, age: 9, left: 51), at: 9))
        #expect(led == [.answer(nonce: wish.nonce, .paused, "51")])
        #expect(machine.pause != nil)
    }

    @Test("an answer is repeated until a majority of the registers has taken it")
    func aLostAnswerIsRepeated() {
        var machine = machine
        let wish = wish(.pause)
        #expect(machine.step(input(pause: standing(wish, left: 20))).last == .answer(nonce: wish.nonce, .paused, "20"))
        #expect(machine.step(input(pause: standing(wish, left: 20))).isEmpty, "it is being written")
        let again = SteeringMachine.Effect.answerAgain(nonce: wish.nonce, .paused, "20")
        for second in 1...3 {
            #expect(machine.step(input(pause: standing(wish, age: second, left: 20 - second), at: second)) == [again])
        }
        machine.said(wish.nonce, .paused)
        #expect(machine.step(input(pause: standing(wish, age: 4, left: 16), at: 4)).isEmpty)
        // The end of it takes its place, and is repeated too.
        let text = "asked to go on, or its time is over"
        #expect(machine.step(input(at: 5)).last == .answer(nonce: wish.nonce, .resumed, text))
        machine.said(wish.nonce, .paused)
        #expect(machine.isUnsaid(wish.nonce, .resumed) && !machine.isUnsaid(wish.nonce, .paused))
        #expect(machine.step(input(at: 6)) == [.answerAgain(nonce: wish.nonce, .resumed, text)])
        #expect(machine.step(input(leads: false, at: 7)).isEmpty, "it leads no more")
        #expect(machine.step(input(token: 9, latest: 9, at: 8)).isEmpty, "under another token it is none of its own")
    }

    @Test("that another replica leads is repeated, too, when the wish is gone from the registers")
    func aLostHandOverIsRepeated() {
        var machine = machine
        let wish = wish(.stepDown, token: 5)
        #expect(
            machine.step(input("b", token: 6, latest: 6, stepDown: standing(wish)))
                == [.answer(nonce: wish.nonce, .done, ""), .remove(wish)])
        #expect(
            machine.step(input("b", token: 6, latest: 6, at: 1)) == [.answerAgain(nonce: wish.nonce, .done, "")])
        machine.said(wish.nonce, .done)
        #expect(machine.step(input("b", token: 6, latest: 6, at: 2)).isEmpty)
    }

    // MARK: - Step-down

    @Test func theLeaderOfThatTermStepsDownOnce() {
        var machine = machine
        let wish = wish(.stepDown, token: 5)
        #expect(
            machine.obey(input(stepDown: standing(wish)))
                == [.answer(nonce: wish.nonce, .accepted, ""), .stepDown(wish)])
        #expect(machine.obey(input(stepDown: standing(wish))).isEmpty, "it is read each second")
    }

    @Test func aLaterTermIsNotMovedAndSaysSo() {
        var machine = machine
        let wish = wish(.stepDown, token: 5)
        let effects = machine.obey(input("b", token: 6, latest: 6, stepDown: standing(wish)))
        #expect(effects == [.answer(nonce: wish.nonce, .done, ""), .remove(wish)])
    }

    @Test(
        arguments: [
            (nil, ["a"]), ("a", ["a", "b"]), ("c", ["a", "b"]),
        ] as [(String?, Set<String>)])
    func aWishThatCannotBeFulfilledIsRefused(target: String?, alive: Set<String>) {
        var machine = machine
        let wish = wish(.stepDown, token: 5, to: target)
        let effects = machine.obey(input(alive: alive, stepDown: standing(wish)))
        #expect(effects.count == 2 && effects.last == .remove(wish))
        guard case .answer(_, .refused, _)? = effects.first else { return #expect(Bool(false), "\(effects)") }
    }

    @Test func allButTheOneNamedHoldBackUntilItLeads() {
        var (old, other, named) = (machine, machine, machine)
        let wish = wish(.stepDown, token: 5, to: "c")
        let alive: Set = ["a", "b", "c"]
        let standing = standing(wish, left: 30)
        #expect(old.obey(input(alive: alive, stepDown: standing)).contains(.yield(.seconds(30))))
        #expect(old.obey(input(leads: false, alive: alive, stepDown: standing)).isEmpty, "it holds back too")
        #expect(
            other.obey(input("b", leads: false, token: 0, alive: alive, stepDown: standing)) == [.yield(.seconds(30))])
        #expect(other.obey(input("b", leads: false, token: 0, alive: alive, stepDown: standing)).isEmpty)
        #expect(named.obey(input("c", leads: false, token: 0, alive: alive, stepDown: standing)).isEmpty)
        #expect(
            other.obey(input("b", leads: false, token: 0, latest: 6, alive: alive, stepDown: standing)) == [
                .yield(.zero)
            ])
        #expect(old.obey(input(leads: false, alive: ["a", "b"], stepDown: standing)) == [.yield(.zero)], "it is gone")
    }
}

extension SteeringMachine {
    /// A step whose answers reach the registers.
    fileprivate mutating func obey(_ input: SteeringInput) -> [Effect] {
        let effects = step(input)
        for case .answer(let nonce, let verdict, _) in effects { said(nonce, verdict) }
        return effects
    }
}
