import Testing

@testable import Lapse

/// Rows 103, 104: a log without a living feed is asked about until it has one.
struct SurveyScheduleTests {
    @Test("each second while something comes, every other second else, and never at the same time twice")
    func meanwhile() {
        var schedule = SurveySchedule()
        var asked: [Int] = []
        for second in 0..<12 {
            if schedule.asks("run", .meanwhile) {
                asked.append(second)
                let isAskedTwice = schedule.asks("run", .meanwhile)
                #expect(!isAskedTwice)
                schedule.settled("run", .meanwhile, .answered, foundSome: second < 3)
            }
            schedule.tick()
        }
        #expect(asked == [0, 1, 2, 3, 5, 7, 9, 11])
    }

    @Test("what lies before a log is asked once, again while somebody is silent, and at once where an answer was cut")
    func before() {
        var schedule = SurveySchedule()
        var tries = 0
        while schedule.asks("run", .before), tries < 20 {
            tries += 1
            schedule.settled("run", .before, .unanswered, foundSome: false)
        }
        #expect(tries == 3)
        schedule.reset()
        let afterNewcomer = schedule.asks("run", .before)
        schedule.settled("run", .before, .cut(through: 7), foundSome: true)
        let afterCut = schedule.asks("run", .before)
        schedule.settled("run", .before, .answered, foundSome: true)
        let done = schedule.asks("run", .before)
        #expect(afterNewcomer && afterCut && !done)
    }
}
