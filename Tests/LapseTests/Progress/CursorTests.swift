import Testing

@testable import Lapse

struct CursorTests {
    @Test func whatIsTakenIsPendingUntilFinished() {
        var cursor = Cursor(through: 10)
        #expect(cursor.settled == 10)
        cursor.take(11...13)
        #expect(cursor.through == 13)
        #expect(cursor.pending == [11, 12, 13])
        #expect(cursor.settled == 10)
        cursor.finish(12)
        #expect(cursor.settled == 10, "the oldest one holds the log")
        cursor.finish(11)
        #expect(cursor.settled == 12)
        cursor.finish(13)
        #expect(cursor.settled == 13)
        #expect(cursor.pending.isEmpty)
    }

    @Test func skippingPassesOverAndNeverGoesBack() {
        var cursor = Cursor(through: 10, pending: [4])
        cursor.skip(through: 20)
        #expect(cursor.through == 20)
        cursor.skip(through: 15)
        #expect(cursor.through == 20)
        #expect(cursor.settled == 3)
        cursor.take(18...18)
        #expect(cursor.through == 20, "an older one is taken up again")
        #expect(cursor.pending == [4, 18])
    }

    @Test func finishingTwiceOrWhatWasNeverTakenChangesNothing() {
        var cursor = Cursor(through: 5)
        cursor.take(6...6)
        cursor.finish(6)
        cursor.finish(6)
        cursor.finish(99)
        #expect(cursor == Cursor(through: 6))
    }
}
