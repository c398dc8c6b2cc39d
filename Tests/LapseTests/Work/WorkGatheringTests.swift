import ExpirationStream
import RedisClient
import Testing

@testable import Lapse

/// Where many entries come, orders wait for each other: each costs as much for one entry as for many.
@Suite struct WorkGatheringTests {
    private var machine = WorkMachine(.init(lanes: 64, retries: .init(retries: 1), claimAfter: .seconds(8)))
    private var now = Duration.zero
    private var last: UInt64 = 0

    private func id(_ number: UInt64) -> StreamID { StreamID(milliseconds: number) }

    private mutating func step(_ events: WorkMachine.Event...) -> [WorkMachine.Action] {
        machine.step(events, now: now)
    }

    /// A read that brings as many as it asks for, unless said otherwise; begun and handled at once.
    private mutating func handle(_ count: UInt64) -> [WorkMachine.Action] {
        let ids = (last + 1...last + count).map { id($0) }
        last += count
        var actions = step(.read("s", ids))
        while true {
            var events: [WorkMachine.Event] = []
            for action in actions {
                switch action {
                case .begin(let name, let begins, let done):
                    if !done.isEmpty { events.append(.acknowledged(name, done)) }
                    events.append(.begun(name, AttemptCounts(begins.map { ($0.id, 1) })))
                case .handle(let entry, _): events.append(.handled(entry))
                default: break
                }
            }
            guard !events.isEmpty else { return actions }
            actions = machine.step(events, now: now)
        }
    }

    /// At 4000 entries a second, with nothing in hand.
    private mutating func hurry() {
        _ = step(.partitions(["s"]))
        _ = step(.claimed("s", [], next: .zero))
        for _ in 0..<3 {
            now += .milliseconds(10)
            _ = handle(40)
            let done = machine.partitions["s"]?.done ?? []
            _ = step(.acknowledged("s", (1...last).map { id($0) }))
            if !done.isEmpty { machine.partitions["s"]?.done = [] }
        }
        now += .milliseconds(5)
        _ = step(.tick)
    }

    private func reads(_ actions: [WorkMachine.Action]) -> Bool {
        actions.contains { if case .read = $0 { true } else { false } }
    }

    private func acknowledged(_ actions: [WorkMachine.Action]) -> [StreamID]? {
        actions.lazy.compactMap { if case .acknowledge(_, let ids) = $0 { ids } else { nil } }.first
    }

    @Test("what is handled is acknowledged with the next that is begun")
    mutating func together() {
        hurry()
        #expect(machine.isFast)
        _ = step(.read("s", [id(1001)]))
        _ = step(.begun("s", [id(1001): 1]))
        #expect(acknowledged(step(.handled(.init("s", id(1001))))) == nil, "it waits for company")
        now += .milliseconds(2)
        _ = step(.tick)
        let next = step(.read("s", [id(1002)]))
        #expect(
            next.contains {
                if case .begin("s", let begins, [id(1001)]) = $0 { begins.map(\.id) == [id(1002)] } else { false }
            }, "\(next)")
        // Both are asked again after a failure, but apart: a server without memory takes only the one.
        _ = step(.acknowledgeFailed("s", [id(1001)]), .beginFailed("s", [id(1002)]))
        now += .seconds(1)
        let again = step(.tick)
        #expect(acknowledged(again) == [id(1001)])
        #expect(again.contains { if case .begin("s", _, []) = $0 { true } else { false } }, "\(again)")
    }

    @Test("nothing handled waits longer than 10 ms to be acknowledged; nothing at the end")
    mutating func patience() {
        hurry()
        _ = step(.read("s", [id(1001), id(1002)]))
        _ = step(.begun("s", [id(1001): 1, id(1002): 1]))
        let handled = step(.handled(.init("s", id(1001))))
        #expect(acknowledged(handled) == nil)
        let wakes = handled.compactMap { if case .wake(let at) = $0 { at } else { nil } }
        #expect(wakes.allSatisfy { $0 <= now + .milliseconds(10) })
        now += .milliseconds(10)
        #expect(acknowledged(step(.tick)) == [id(1001)])
        _ = step(.acknowledged("s", [id(1001)]))
        #expect(acknowledged(step(.leave, .handled(.init("s", id(1002))))) == [id(1002)])
    }

    @Test("as many as 256 do not wait")
    mutating func enough() {
        machine = WorkMachine(.init(lanes: 300, retries: .init(retries: 1), claimAfter: .seconds(8)))
        hurry()
        let ids = (1001...1256 as ClosedRange<UInt64>).map { id($0) }
        _ = step(.read("s", ids))
        _ = step(.begun("s", AttemptCounts(ids.map { ($0, 1) })))
        let most = ids.dropLast().map { WorkMachine.Event.handled(.init("s", $0)) }
        #expect(acknowledged(machine.step(most, now: now)) == nil)
        #expect(acknowledged(step(.handled(.init("s", ids[255])))) == ids)
    }

    @Test("after a read that brings less than it asks for the next one waits until 32 more have come, 2 to 5 ms")
    mutating func readings() {
        hurry()
        #expect(!reads(step(.read("s", [id(1001)]))))
        now += .microseconds(4_999)
        #expect(!reads(step(.tick)), "at 4000 a second these would take 8 ms")
        now += .microseconds(1)
        #expect(reads(step(.tick)))
        for (pace, wait) in [(120, 2_667), (1_000, 2_000)] {
            machine.pace = WorkPace()
            machine.pace.add(pace, now: now)
            now += .milliseconds(10)
            machine.pace.add(0, now: now)
            _ = step(.tick)
            last += 1
            _ = step(.read("s", [id(10_000 + last)]))
            let pause = (machine.partitions["s"]?.readAt ?? .zero) - now
            #expect(pause >= .microseconds(wait - 1) && pause <= .microseconds(wait), "\(pause)")
        }
        now += .milliseconds(2)
        _ = step(.tick)
        let asked = machine.partitions["s"]?.asked ?? 0
        let full = (1...UInt64(asked)).map { id(2000 + $0) }
        _ = step(.read("s", full))
        #expect(machine.partitions["s"]?.readAt ?? .zero <= now, "there is more")
    }

    @Test("what is handled is told together, and each of it as if it were told alone")
    mutating func telling() {
        hurry()
        let ids = (1001...1128 as ClosedRange<UInt64>).map { id($0) }
        _ = step(.read("s", ids))
        _ = step(.begun("s", AttemptCounts(ids.prefix(64).map { ($0, 1) })))
        let ended = ids.prefix(64).map { WorkEntry("s", $0) }
        // Of one that is not running, and of one that is not in hand, nothing is noted.
        let next = step(.handledAll(ended + [WorkEntry("s", ids[127]), WorkEntry("s", id(5000)), ended[0]]))
        #expect(
            next.contains {
                if case .begin("s", let begins, let done) = $0 {
                    begins.map(\.id) == Array(ids.suffix(64)) && done == Array(ids.prefix(64))
                } else {
                    false
                }
            }, "\(next)")
        #expect(machine.running == 64 && machine.inHand == 128)
    }

    @Test("where few come nothing waits")
    mutating func slow() {
        _ = step(.partitions(["s"]))
        for number in 1...20 as ClosedRange<UInt64> {
            now += .milliseconds(10)
            #expect(reads(step(.read("s", [id(number)]))))
            _ = step(.begun("s", [id(number): 1]))
            #expect(acknowledged(step(.handled(.init("s", id(number))))) == [id(number)])
            _ = step(.acknowledged("s", [id(number)]))
        }
        #expect(!machine.isFast && machine.mostInHand == 80)
    }

    @Test("as much is in hand as is done in 10 ms, and when nothing is done any more little is asked for")
    mutating func prefetch() {
        _ = step(.partitions(["s"]))
        machine.pace.add(0, now: .zero)
        machine.pace.add(300, now: .milliseconds(5))
        machine.pace.add(0, now: .milliseconds(10))
        now = .milliseconds(10)
        _ = step(.tick)
        #expect(machine.mostInHand == 64 + 300)
        now = .milliseconds(500)
        _ = step(.tick)
        #expect(machine.mostInHand == 80)
        machine.pace.add(100_000, now: now)
        machine.pace.add(0, now: now + .milliseconds(10))
        now += .milliseconds(10)
        _ = step(.tick)
        #expect(machine.mostInHand == 64 + 512)
    }

    @Test("a few free lanes wait for others, half a millisecond, where all will be free at once")
    mutating func lanes() {
        hurry()
        machine.pace.add(100_000, now: now)
        now += .milliseconds(10)
        machine.pace.add(0, now: now)
        let ids = (1001...1128 as ClosedRange<UInt64>).map { id($0) }
        _ = step(.read("s", ids))
        _ = step(.begun("s", AttemptCounts(ids.prefix(64).map { ($0, 1) })))
        func begun(_ actions: [WorkMachine.Action]) -> Int {
            actions.lazy.compactMap { if case .begin(_, let begins, _) = $0 { begins.count } else { nil } }.first ?? 0
        }
        #expect(begun(step(.handled(.init("s", ids[0])))) == 0)
        now += .microseconds(500)
        #expect(begun(step(.tick)) == 1)
        _ = step(.begun("s", [ids[64]: 1]))
        // With nearly all of them free there is nothing to wait for.
        let most = ids[1...55].map { WorkMachine.Event.handled(.init("s", $0)) }
        #expect(begun(machine.step(most, now: now)) == 0)
        #expect(begun(step(.handled(.init("s", ids[56])))) == 56)
    }

    @Test("the pace is that of the last 10 ms, and falls by itself")
    func pace() {
        var pace = WorkPace()
        pace.add(50, now: .zero)
        #expect(pace.rate(now: .milliseconds(5)) == 0, "not known yet")
        pace.add(1, now: .milliseconds(10))
        #expect(pace.rate(now: .milliseconds(10)) == 5_000)
        #expect(pace.rate(now: .milliseconds(110)) == 10)
        #expect(pace.rate(now: .seconds(10)) == 0)
        pace.add(1, now: .zero)
        #expect(pace.rate(now: .zero) == 5_000, "a clock that went back")
    }
}

/// The queue before a worker's lanes.
@Suite(.timeLimit(.minutes(1))) struct AttemptQueueTests {
    @Test("each job finds a lane though the others are held up, and though few are woken for it")
    func lanes() async {
        let queue = AttemptQueue()
        let content = WorkContent(
            .init(
                id: "run-1", key: Array("k".utf8), database: 0, node: "n:1", runID: "run", ordinal: 1, origin: "live",
                term: 1, token: 1))
        let jobs = (1...8).map {
            AttemptQueue.Job(entry: .init("s", StreamID(milliseconds: $0)), content: content, attempt: 1)
        }
        let (taken, took) = AsyncStream.makeStream(of: StreamID.self)
        await withDiscardingTaskGroup { group in
            for _ in 0..<8 {
                // Takes one, and no more before all are taken.
                group.addTask { if let job = await queue.next() { took.yield(job.entry.id) } }
            }
            #expect(queue.add(Array(jobs[..<1])))
            #expect(queue.add(Array(jobs[1...])))
            var seen: Set<StreamID> = []
            for await id in taken {
                seen.insert(id)
                if seen.count == 8 { break }
            }
            #expect(seen == Set(jobs.map(\.entry.id)))
        }
        #expect(queue.close().isEmpty)
        #expect(!queue.add(jobs))
    }
}
