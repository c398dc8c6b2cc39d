import NIOPosix
import RedisClient
import Testing
import Timing

@testable import Lapse

/// Between the tasks of a worker and its loop.
@Suite(.timeLimit(.minutes(1))) struct WorkMailboxTests {
    private let mailbox = WorkMailbox(bell: Doorbell(on: MultiThreadedEventLoopGroup.singleton.next()))

    private func entry(_ number: Int) -> WorkEntry { WorkEntry("s", StreamID(milliseconds: UInt64(number))) }

    @Test("all there is is taken at once, and failures are told as reports")
    func all() async {
        mailbox.put(.init(event: .leave))
        mailbox.ended(entry(1), nil)
        mailbox.ended(entry(2), .init(text: "no"))
        let mail = await mailbox.take(upTo: nil)
        #expect(mail.handled == [entry(1)] && mail.reports.count == 2)
        guard case .failed(entry(2), let failure) = mail.reports.last?.event else { return #expect(Bool(false)) }
        #expect(failure.text == "no")
    }

    @Test("with nothing to take the wait ends at its time")
    func nothing() async {
        #expect(await mailbox.take(upTo: .milliseconds(1)).isEmpty)
        #expect(await mailbox.take(upTo: .zero).isEmpty)
    }

    @Test("each is told once, by whichever lane and however long the loop waits")
    func each() async {
        let (lanes, jobs) = (8, 5_000)
        await withDiscardingTaskGroup { group in
            for lane in 0..<lanes {
                // As lanes do, beside each other.
                group.addTask {
                    for job in 0..<jobs {
                        mailbox.ended(entry(lane * jobs + job), nil)
                        if job % 16 == 0 { await Task.yield() }
                    }
                }
            }
            var (seen, count, takes) = (Set<WorkEntry>(), 0, 0)
            while count < lanes * jobs {
                takes += 1
                let mail = await mailbox.take(upTo: takes % 5 == 0 ? .milliseconds(1) : nil)
                count += mail.handled.count
                seen.formUnion(mail.handled)
            }
            #expect(seen.count == lanes * jobs && count == seen.count)
        }
    }
}
