import Testing

@testable import LapseCommand

@Suite struct LetterPageTests {
    @Test(arguments: [(1, 1), (5, 5), (1000, 10), (Int.max, 10), (0, 1)])
    func itBeginsWithFew(wanted: Int, limit: Int) { #expect(LetterPage(wanted: wanted).limit == limit) }

    @Test func smallLettersComeByTheHundred() {
        var page = LetterPage(wanted: .max)
        for _ in 1...10 { page.answered(count: page.limit, bytes: page.limit * 300) }
        #expect(page.limit == 100)
        // Fewer than asked for say nothing about how many one reply can bring.
        page.answered(count: 3, bytes: 900)
        #expect(page.limit == 100)
    }

    @Test func largeLettersComeByTheFew() {
        var page = LetterPage(wanted: .max)
        page.answered(count: 10, bytes: 10 << 20)
        #expect(page.limit == 8)
        page.answered(count: 8, bytes: 32 << 20)
        #expect(page.limit == 2)
        page.answered(count: 2, bytes: 60 << 20)
        #expect(page.limit == 1)
    }

    @Test func whatFailedIsNotAskedForAgain() {
        var page = LetterPage(wanted: .max)
        for _ in 1...10 { page.answered(count: page.limit, bytes: 0) }
        var limits: [Int] = []
        while page.failed() { limits.append(page.limit) }
        #expect(limits == [25, 6, 1])
        page.answered(count: 1, bytes: 10)
        #expect(page.limit == 1)
    }
}
