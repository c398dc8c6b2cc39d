import Testing

@testable import RedisClient

/// When a node counts as silent: faults 38, 48 and 53.
struct PingWatchTests {
    /// Ticks until the first ping is out.
    private func pinged() -> PingWatch {
        var watch = PingWatch()
        let steps = [watch.tick(), watch.tick()]
        #expect(steps == [.none, .ping])
        return watch
    }

    @Test func aPingWithoutAnAnswerAndWithoutAByteIsASilence() {
        var watch = pinged()
        let steps = (0..<6).map { _ in watch.tick() }
        #expect(steps == [.none, .silent, .none, .none, .none, .none], "said once")
        #expect(watch.isSilent)
    }

    @Test("row 53: bytes postpone the beginning of a silence, however long the pong takes")
    func bytesPostponeASilence() {
        var watch = pinged()
        for _ in 0..<100 {
            watch.heard()
            let step = watch.tick()
            #expect(step == .none)
        }
        #expect(!watch.isSilent && watch.isPingOpen)
        let steps = [watch.tick(), watch.tick()]
        #expect(steps == [.none, .silent], "then they stop")
    }

    @Test("row 48: bytes never end a silence; only the pong does")
    func bytesEndNoSilence() {
        var watch = pinged()
        _ = [watch.tick(), watch.tick()]
        watch.heard()
        let step = watch.tick()
        #expect(step == .none && watch.isSilent)
        let ends = watch.answered()
        #expect(ends && !watch.isSilent && !watch.isPingOpen)
        let steps = [watch.tick(), watch.tick()]
        #expect(steps.contains(.ping))
    }

    @Test func oneThatSpeaksAndFallsSilentAgainIsDoubtedAnew() {
        var watch = pinged()
        _ = [watch.tick(), watch.tick()]
        watch.heard()
        let steps = (0..<3).map { _ in watch.tick() }
        #expect(steps == [.none, .none, .silent])
    }

    @Test func anAnswerInTimeIsNoNews() {
        var watch = pinged()
        watch.heard()
        let ends = watch.answered()
        #expect(!ends)
        let steps = (0..<3).map { _ in watch.tick() }
        #expect(steps == [.none, .ping, .none])
    }
}
