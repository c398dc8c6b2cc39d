import Testing

@testable import Lapse

struct SweepPaceTests {
    @Test("keys that find no room are worth one early pass, not one after the other, and none that renews")
    func noRoom() {
        var pace = SweepPace()
        pace.isHinted = true
        var renewing: [Bool] = []
        var early: [Bool] = []
        var now: Int64 = 1
        while renewing.count < 6 {
            switch pace.next(now: now) {
            case .wait(let until): now = until
            case .scan:
                early.append(pace.purpose == .catchingUp)
                pace.wantRoom()
                renewing.append(pace.renewsSince != nil)
                pace.page(next: "0", took: 1_000, work: 1_000, now: now)
            }
        }
        #expect(renewing == [true, false, false, false, false, false])
        #expect(early == [true, true, false, true, false, true])
    }

    @Test("slots that come are worth an early pass, in less of a hurry than missed hints, that renews nothing")
    func arrivals() {
        var pace = SweepPace()
        pace.isHinted = true
        _ = pace.next(now: 0)
        pace.wantArrivals()
        #expect(pace.purpose == .catchingUp, "what hints were missed of comes first")
        let work: Int64 = 1_000_000
        pace.page(next: "0", took: work, work: work, now: work)
        #expect(pace.purpose == .arrivals)
        #expect(pace.next(now: work) == .wait(until: 10 * work))
        #expect(pace.next(now: 10 * work) == .scan(cursor: "0"))
        #expect(pace.renewsSince == nil)
        pace.page(next: "0", took: work, work: work, now: 11 * work)
        #expect(pace.purpose == .steady)
    }

    @Test("pages that do not come are made smaller, and asked for less often; those that come grow again")
    func pagesTooLarge() {
        var pace = SweepPace()
        var now: Int64 = 0
        var sizes: [Int] = []
        for _ in 0..<20 {
            if case .wait(let until) = pace.next(now: now) {
                #expect(until - now <= 5_000_000_000)
                now = until
            }
            sizes.append(pace.pageKeys)
            pace.failed(now: now)
        }
        #expect(sizes.prefix(6) == [500, 125, 31, 7, 1, 1])
        #expect(now > 60_000_000_000)
        for _ in 0..<10 { pace.page(next: "7", took: 1, work: 1, now: now) }
        #expect(pace.pageKeys == 500)
        #expect(pace.failures == 0)
    }

    @Test("a pass that meets a key too long for any page is given up and begun anew, others are not")
    func keyTooLong() {
        for isOversized in [true, false] {
            var pace = SweepPace()
            var now: Int64 = 0
            var givenUp = 0
            for _ in 0..<14 {
                if case .wait(let until) = pace.next(now: now) { now = until }
                #expect(pace.next(now: now) == .scan(cursor: givenUp == 0 && pace.failures > 0 ? "7" : "0"))
                if pace.failures == 0, givenUp == 0 {
                    pace.page(next: "7", took: 1, work: 1, now: now)
                    if case .wait(let until) = pace.next(now: now) { now = until }
                }
                if pace.failed(now: now, isOversized: isOversized) { givenUp += 1 }
                #expect(pace.purpose == .catchingUp)
            }
            #expect(givenUp == (isOversized ? 2 : 0))
        }
    }

    @Test("a sweep that becomes urgent does not rest as one that was in no hurry")
    func urgency() {
        var pace = SweepPace()
        pace.isHinted = true
        _ = pace.next(now: 0)
        pace.page(next: "0", took: 1_000_000, work: 1_000_000, now: 1_000_000)
        let second: Int64 = 1_000_000_000
        #expect(pace.next(now: 60 * second) == .scan(cursor: "0"))
        let work: Int64 = 50_000_000
        pace.page(next: "7", took: 2 * second, work: work, now: 62 * second)
        #expect(pace.next(now: 62 * second) == .wait(until: 62 * second + 49 * work))
        pace.want()
        #expect(pace.next(now: 62 * second) == .wait(until: 62 * second + work * 70 / 30))
    }

    @Test("a pass that missed hints are to be made up for by begins at once, unless one is under way already")
    func catchingUpAtOnce() {
        var pace = SweepPace()
        pace.isHinted = true
        _ = pace.next(now: 0)
        pace.page(next: "0", took: 1, work: 0, now: 1)
        let minute: Int64 = 60_000_000_000
        #expect(pace.next(now: minute) == .scan(cursor: "0"))
        pace.page(next: "7", took: 1, work: 0, now: minute + 1)
        pace.want()
        #expect(pace.next(now: minute + 2) == .scan(cursor: "0"))
        #expect(pace.renewsSince == minute + 2)
        pace.page(next: "9", took: 1, work: 0, now: minute + 3)
        pace.want()
        #expect(pace.next(now: minute + 4) == .scan(cursor: "9"))
        #expect(pace.renewsSince == minute + 2)
        pace.page(next: "0", took: 1, work: 0, now: minute + 5)
        #expect(pace.next(now: minute + 6) == .scan(cursor: "0"))
        #expect(pace.renewsSince == minute + 6)
    }

    @Test("what is kept reaches to the end of the pass after next, in no hurry, however quick this one was")
    func horizon() {
        var pace = SweepPace()
        pace.isHinted = true
        #expect(pace.next(now: 0) == .scan(cursor: "0"))
        #expect(pace.purpose == .catchingUp)
        pace.page(next: "0", took: 3_000_000_000, work: 2_000_000_000, now: 7_000_000_000)
        // The way there and back is no shorter in no hurry.
        #expect(pace.nextPass == 161_000_000_000)
    }

    @Test("a page gives way to questions that wait, and for a tenth of a second at most")
    func busy() {
        var pace = SweepPace()
        let begin = pace.next(now: 0, isBusy: true)
        #expect(begin == .scan(cursor: "0"))
        pace.page(next: "7", took: 1_000, work: 1_000, now: 1_000)
        var now: Int64 = 10_000
        while case .wait(let until) = pace.next(now: now, isBusy: true) {
            var idle = pace
            let next = idle.next(now: now)
            #expect(next == .scan(cursor: "7"))
            now = until
        }
        #expect((100_000_000...103_000_000).contains(now))
    }
}
