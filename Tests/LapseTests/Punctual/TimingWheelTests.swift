import LeaderElection
import Testing

@testable import Lapse

/// The wheel against a plain list that is searched from end to end.
struct TimingWheelTests {
    private static let start: Int64 = 1_790_000_000_123

    @Test(arguments: 0..<40 as Range<UInt64>)
    func agreesWithASortedList(seed: UInt64) {
        var random = RandomSource.seeded(seed)
        var now = Self.start
        var wheel = TimingWheel<Int>(now: now, empty: 0)
        for _ in 0..<300 { _ = wheel.addPlace() }
        var model: [Int: Int64] = [:]
        for _ in 0..<4_000 {
            let place = Int.random(in: 0..<300, using: &random)
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<5:
                let reach = Int64(1) << Int64.random(in: 0..<40, using: &random)
                let time = now + Int64.random(in: -2...reach, using: &random)
                wheel.insert(place, at: time)
                model[place] = time
            case 5:
                wheel.remove(place)
                model[place] = nil
            case 6:
                now -= Int64.random(in: 0..<5_000, using: &random)
                wheel.rewind(to: now)
            default:
                let reach = Int64(1) << Int64.random(in: 0..<26, using: &random)
                now += Int64.random(in: 0...reach, using: &random)
                wheel.advance(to: now)
                var due: Set<Int> = []
                while let place = wheel.popDue() { due.insert(place) }
                // Those that the wheel was not advanced past when the clock went back are due as before.
                let expected = Set(model.filter { $0.value <= now }.keys)
                #expect(due == expected)
                for place in due { model[place] = nil }
            }
            #expect(wheel.count == model.count)
            if let next = wheel.nextTime, let first = model.values.min(), !wheel.hasDue {
                #expect(next <= first, "it looks again before the first is due")
                #expect(next > now)
            }
            #expect(wheel.nextTime == nil ? model.isEmpty : !model.isEmpty)
        }
    }

    @Test("a wait is split at most once a level: the wheel does not look each millisecond")
    func looksSeldom() {
        var wheel = TimingWheel<Int>(now: Self.start, empty: 0)
        for _ in 0..<1 { _ = wheel.addPlace() }
        let time = Self.start + 3_600_000
        wheel.insert(0, at: time)
        var looks = 0
        while !wheel.hasDue, let next = wheel.nextTime {
            wheel.advance(to: next)
            looks += 1
        }
        #expect(wheel.now == time)
        #expect(looks <= 6)
    }

    @Test func theFurthestIsFoundByItsSlot() throws {
        var wheel = TimingWheel<Int>(now: Self.start, empty: 0)
        for _ in 0..<1_000 { _ = wheel.addPlace() }
        for place in 0..<1_000 { wheel.insert(place, at: Self.start + 1 + Int64(place) * 1_000) }
        for left in (1...1_000).reversed() {
            let place = try #require(wheel.furthest)
            // A slot of the highest level in use is at most a 64th of the way to the next level's.
            #expect(wheel.time(of: place) >= Self.start + Int64(left) * 1_000 - 300_000)
            wheel.remove(place)
        }
        #expect(wheel.furthest == nil)
    }
}
