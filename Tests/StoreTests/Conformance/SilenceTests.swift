import HTTPClients
import Testing

struct SilenceTests {
    @Test func aServerIsBlamedForALongSilence() {
        let begin = ContinuousClock.now
        let silence = Silence(since: begin, isWanted: false)
        #expect(!silence.blamesServer(at: begin + .milliseconds(49)))
        #expect(silence.blamesServer(at: begin + .milliseconds(50)))
    }

    @Test func aWatchMayBeSilent() {
        let begin = ContinuousClock.now
        #expect(!Silence(since: begin, isWanted: true).blamesServer(at: begin + .seconds(30)))
    }
}
