import Glibc
import Testing

@testable import Supervision

/// The parent's decisions, with time as a number.
@Suite struct SupervisorMachineTests {
    private static func machine(_ onCrash: SupervisorMachine.Settings.OnCrash = .restart) -> SupervisorMachine {
        var machine = SupervisorMachine(.init(onCrash: onCrash, releaseLimit: .seconds(10)))
        #expect(machine.step(.start, now: .zero) == [.startWorker(afterCrash: false)])
        return machine
    }

    /// A worker that has led since the second second.
    private static func leading(_ onCrash: SupervisorMachine.Settings.OnCrash = .restart) -> SupervisorMachine {
        var machine = machine(onCrash)
        #expect(machine.step(.told(.claim("c")), now: .seconds(1)) == [])
        #expect(machine.step(.told(.leads), now: .seconds(2)) == [])
        return machine
    }

    private static let killed = SupervisorMachine.Event.workerEnded(.signalled(SIGKILL))

    private func withoutWords(_ actions: [SupervisorMachine.Action]) -> [SupervisorMachine.Action] {
        actions.filter { if case .say = $0 { false } else { true } }
    }

    @Test func aClaimIsReleasedOnlyWhenNoChildIsLeftAndBeforeAnyPause() {
        var machine = Self.leading()
        #expect(withoutWords(machine.step(Self.killed, now: .seconds(8))) == [.clear])
        #expect(machine.isClearing)
        #expect(machine.step(.timer, now: .seconds(9)) == [])
        #expect(machine.step(.cleared, now: .seconds(9)) == [.startReleaser(claim: "c")])
        #expect(!machine.isClearing)
        #expect(machine.step(.releaserEnded(.exited(0)), now: .seconds(10)) == [.notify(.alive)])
        #expect(machine.step(.timer, now: .milliseconds(10_099)) == [])
        #expect(machine.step(.timer, now: .milliseconds(10_100)) == [.startWorker(afterCrash: true)])
    }

    @Test func aTermThatWasShortIsLeftToRunOut() {
        var machine = Self.leading()
        _ = machine.step(Self.killed, now: .milliseconds(6999))
        #expect(
            withoutWords(machine.step(.cleared, now: .seconds(8))) == [.notify(.alive)],
            "the term was short, not the killing")
        var other = Self.leading()
        _ = other.step(Self.killed, now: .seconds(7))
        #expect(other.step(.cleared, now: .seconds(7)) == [.startReleaser(claim: "c")])
    }

    @Test func aClaimThatNeverWonIsReleasedAndOneGivenBackIsNot() {
        var machine = Self.machine()
        _ = machine.step(.told(.claim("c")), now: .seconds(1))
        _ = machine.step(Self.killed, now: .seconds(1))
        #expect(machine.step(.cleared, now: .seconds(1)) == [.startReleaser(claim: "c")])

        var other = Self.leading()
        _ = other.step(.told(.released), now: .seconds(9))
        _ = other.step(Self.killed, now: .seconds(9))
        #expect(other.step(.cleared, now: .seconds(9)) == [.notify(.alive)])
    }

    @Test func theNewestClaimCountsAndHasNotWonYet() {
        var machine = Self.leading()
        _ = machine.step(.told(.claim("d")), now: .seconds(20))
        _ = machine.step(Self.killed, now: .seconds(21))
        #expect(machine.step(.cleared, now: .seconds(21)) == [.startReleaser(claim: "d")])
    }

    @Test func itsExitCodeIsTheWorkers() {
        for code in [0, 3, 64, 70, 75] as [Int32] {
            var machine = Self.machine()
            #expect(machine.step(.workerEnded(.exited(code)), now: .seconds(1)) == [.clear])
            #expect(machine.step(.cleared, now: .seconds(1)) == [.end(code)])
        }
        var machine = Self.leading(.exit)
        _ = machine.step(Self.killed, now: .seconds(60))
        _ = machine.step(.cleared, now: .seconds(60))
        #expect(machine.step(.releaserEnded(.exited(0)), now: .seconds(61)) == [.end(128 + SIGKILL)])
    }

    @Test func aWorkerThatEndsItselfHoldingTheLeaseHasCrashed() {
        var machine = Self.leading()
        _ = machine.step(.workerEnded(.exited(70)), now: .seconds(60))
        #expect(machine.step(.cleared, now: .seconds(60)) == [.startReleaser(claim: "c")])
        #expect(machine.step(.releaserEnded(.exited(0)), now: .seconds(61)) == [.notify(.alive)])
    }

    @Test func afterAnEndWasAskedForNoWorkerIsBegun() {
        var machine = Self.leading()
        #expect(machine.step(.signal(SIGTERM), now: .seconds(9)) == [.forward(SIGTERM)])
        _ = machine.step(Self.killed, now: .seconds(9))
        #expect(machine.step(.cleared, now: .seconds(9)) == [.startReleaser(claim: "c")])
        #expect(machine.step(.releaserEnded(.exited(0)), now: .seconds(9)) == [.end(128 + SIGKILL)])
    }

    @Test func anEndInThePauseIsAnEndInOrder() {
        var machine = Self.machine()
        _ = machine.step(Self.killed, now: .seconds(1))
        _ = machine.step(.cleared, now: .seconds(1))
        #expect(machine.step(.signal(SIGUSR1), now: .seconds(1)) == [])
        #expect(machine.step(.signal(SIGTERM), now: .seconds(1)) == [.end(0)])
    }

    @Test("a worker that a stop ended before it could take it has ended in order")
    func endedByTheStop() {
        var machine = Self.machine()
        _ = machine.step(.signal(SIGTERM), now: .seconds(1))
        _ = machine.step(.workerEnded(.signalled(SIGTERM)), now: .seconds(1))
        #expect(machine.step(.cleared, now: .seconds(1)) == [.end(0)])
    }

    @Test("a releaser that cannot even be killed is not waited for for ever")
    func stuckReleaser() throws {
        var machine = Self.leading()
        _ = machine.step(Self.killed, now: .seconds(9))
        _ = machine.step(.cleared, now: .seconds(9))
        let first = try #require(machine.nextLook)
        #expect(machine.step(.timer, now: first) == [.clear])
        let second = try #require(machine.nextLook)
        #expect(machine.step(.timer, now: second).contains(.end(70)))
    }

    @Test func eachSignalIsForwarded() {
        var machine = Self.machine()
        #expect(machine.step(.signal(SIGINT), now: .seconds(1)) == [.forward(SIGINT)])
        #expect(machine.step(.signal(SIGUSR1), now: .seconds(1)) == [.forward(SIGUSR1)])
    }

    @Test func thePauseGrowsAndALongRunEndsTheRow() {
        var machine = Self.machine()
        var now = Duration.zero
        var pauses: [Duration] = []
        for _ in 0..<12 {
            now += .seconds(1)
            _ = machine.step(Self.killed, now: now)
            _ = machine.step(.cleared, now: now)
            pauses.append((machine.nextLook ?? .zero) - now)
            now = machine.nextLook ?? now
            #expect(machine.step(.timer, now: now) == [.startWorker(afterCrash: true)])
        }
        #expect(pauses.first == .milliseconds(100))
        #expect(zip(pauses, pauses.dropFirst()).allSatisfy { $1 == min($0 * 2, .seconds(5)) })
        now += .seconds(10)
        _ = machine.step(Self.killed, now: now)
        _ = machine.step(.cleared, now: now)
        #expect(machine.nextLook == now + .milliseconds(100))
    }

    @Test func aChildThatCannotBeKilledEndsTheParentAndReleasesNothing() {
        var machine = Self.leading()
        _ = machine.step(Self.killed, now: .seconds(20))
        #expect(machine.nextLook == .seconds(30))
        #expect(withoutWords(machine.step(.timer, now: .seconds(30))) == [.end(70)])
    }

    @Test func aReleaserThatDoesNotEndIsKilledAndItsEndIsAwaited() {
        var machine = Self.leading()
        _ = machine.step(Self.killed, now: .seconds(20))
        _ = machine.step(.cleared, now: .seconds(20))
        #expect(machine.step(.timer, now: .seconds(29)) == [])
        #expect(machine.step(.timer, now: .seconds(30)) == [.clear])
        #expect(machine.step(.timer, now: .seconds(31)) == [], "once is enough for a while")
        #expect(withoutWords(machine.step(.releaserEnded(.signalled(SIGKILL)), now: .seconds(31))) == [.notify(.alive)])
    }

    @Test func readinessIsToldOnce() {
        var machine = Self.machine()
        #expect(machine.step(.told(.ready), now: .seconds(1)) == [.notify(.ready)])
        #expect(machine.step(.told(.ready), now: .seconds(2)) == [])
        #expect(machine.step(.told(.alive), now: .seconds(2)) == [.notify(.alive)])
    }

    @Test func aWorkerThatCannotBeStartedAtFirstIsAnError() {
        var machine = Self.machine()
        #expect(machine.step(.notStarted("no"), now: .zero) == [.say("no"), .end(70)])
        var later = Self.machine()
        _ = later.step(.told(.ready), now: .seconds(1))
        _ = later.step(Self.killed, now: .seconds(1))
        _ = later.step(.cleared, now: .seconds(1))
        _ = later.step(.timer, now: .seconds(2))
        #expect(later.step(.notStarted("no"), now: .seconds(2)) == [.say("no")])
        #expect(later.nextLook == .milliseconds(2200))
    }
}

/// The lines of a worker, which the parent takes for hostile.
@Suite struct WorkerLineTests {
    @Test func everyLineIsReadAsItWasWritten() throws {
        var reader = WorkerLineReader()
        for line: WorkerLine in [.claim("{\"a\": \"b c\"}"), .leads, .released, .ready, .alive] {
            let bytes = try #require(line.bytes)
            #expect(reader.lines(in: bytes[...]) == [line])
            #expect(bytes.flatMap { reader.lines(in: [$0]) } == [line], "byte by byte")
        }
    }

    @Test func whatIsNoLineIsPassedOver() {
        var reader = WorkerLineReader()
        #expect(reader.lines(in: Array("\nclaim\nclaim \nleads now\nLEADS\n\u{0}\nleads\n".utf8)[...]) == [.leads])
    }

    @Test func aLineWithoutAnEndTakesNoMemoryAndHidesOnlyItself() throws {
        var reader = WorkerLineReader()
        let flood = [UInt8](repeating: 97, count: WorkerLine.limit)
        for _ in 0..<100 { #expect(reader.lines(in: flood[...]) == []) }
        #expect(reader.lines(in: Array("\nready\n".utf8)[...]) == [.ready])
        #expect(WorkerLine.claim(String(repeating: "a", count: WorkerLine.limit)).bytes == nil)
        #expect(WorkerLine.claim("a\nleads").bytes == nil)
    }
}
