import Lapse
import Testing

@testable import LapseWebhook

/// What is remembered of batches that were not taken.
struct PostedBatchesTests {
    private let failure = WebhookFailed(description: "503", anotherAttempt: .asConfigured)

    private func post(
        _ batches: inout PostedBatches, _ ids: [String], attempt: Int = 1, token: UInt64 = 1, now: Duration = .zero,
        bytes: Int = 10
    ) -> PostedBatches.Step {
        batches.step(ids, attempt: attempt, token: token, now: now) { [UInt8](repeating: 0x61, count: bytes) }
    }

    @Test("the last attempt, a refusal and a success leave nothing behind")
    func nothingIsLeft() throws {
        for (failure, lastAttempt) in [
            (failure, 2), (.init(description: "400", anotherAttempt: .pointless), 1), (nil, 1),
        ] {
            var batches = PostedBatches(retries: 1)
            guard case .post(let request) = post(&batches, ["a", "b"]) else { return #expect(Bool(false)) }
            batches.ended(request, ["a", "b"], attempt: 1, failure)
            #expect(batches.count == (lastAttempt == 1 ? 0 : 1))
            guard lastAttempt == 2 else { continue }
            #expect(post(&batches, ["b"], attempt: 2) == .post(request))
            batches.ended(request, ["b"], attempt: 2, failure)
            #expect(batches.count == 1)
            #expect(post(&batches, ["a"], attempt: 2) == .answered(failure))
            #expect(batches.count == 0)
        }
    }

    @Test("another term knows none of them")
    func anotherTerm() throws {
        var batches = PostedBatches(retries: 5)
        guard case .post(let request) = post(&batches, ["a", "b"]) else { return #expect(Bool(false)) }
        batches.ended(request, ["a", "b"], attempt: 1, failure)
        guard case .post(let other) = post(&batches, ["a"], token: 2) else { return #expect(Bool(false)) }
        #expect(other.id == "a" && batches.count == 1)
    }

    @Test("memory is bounded: new ones wait; what nothing is heard of for ten minutes makes room")
    func bounded() throws {
        var batches = PostedBatches(retries: 5, limit: 1_000)
        for number in 0..<2 {
            guard case .post(let request) = post(&batches, ["\(number)a", "\(number)b"], bytes: 600) else {
                return #expect(Bool(false))
            }
            batches.ended(request, ["\(number)a", "\(number)b"], attempt: 1, failure)
        }
        #expect(post(&batches, ["c", "d"]) == .full)
        // One that comes again is posted all the same, and keeps its batch.
        guard case .post = post(&batches, ["1a"], attempt: 2, now: .seconds(300)) else { return #expect(Bool(false)) }
        #expect(post(&batches, ["c", "d"], now: .seconds(599)) == .full)
        guard case .post = post(&batches, ["c", "d"], now: .seconds(600)) else { return #expect(Bool(false)) }
        #expect(batches.count == 2)
    }

    @Test("what is given up before its last attempt makes room, and takes nothing from the rest of its batch")
    func buried() throws {
        var batches = PostedBatches(retries: 5, limit: 1_000)
        guard case .post(let request) = post(&batches, ["a", "b"], bytes: 1_000) else { return #expect(Bool(false)) }
        batches.ended(request, ["a", "b"], attempt: 1, failure)
        #expect(post(&batches, ["c", "d"]) == .full)
        batches.forget("a")
        batches.forget("of none")
        #expect(post(&batches, ["c", "d"]) == .full)
        #expect(post(&batches, ["b"], attempt: 2) == .post(request))
        batches.forget("b")
        #expect(batches.count == 0)
        guard case .post = post(&batches, ["c", "d"]) else { return #expect(Bool(false)) }
    }

    @Test("past the bound one alone is posted all the same: it comes back as the same request")
    func oneAlonePastTheBound() throws {
        var batches = PostedBatches(retries: 5, limit: 1_000)
        guard case .post(let request) = post(&batches, ["a", "b"], bytes: 1_000) else { return #expect(Bool(false)) }
        batches.ended(request, ["a", "b"], attempt: 1, failure)
        #expect(post(&batches, ["c", "d"]) == .full)
        guard case .post(let alone) = post(&batches, ["c"]) else { return #expect(Bool(false)) }
        #expect(alone.id == "c" && batches.count == 1)
        batches.ended(alone, ["c"], attempt: 1, failure)
        // The receiver takes the first one: its body makes room.
        #expect(post(&batches, ["a"], attempt: 2) == .post(request))
        batches.ended(request, ["a"], attempt: 2, nil)
        #expect(post(&batches, ["b"], attempt: 2) == .answered(nil))
        guard case .post = post(&batches, ["c", "d"]) else { return #expect(Bool(false)) }
    }

    @Test(
        "the second expiration of a key, which comes after the first has had its attempts, is posted and not answered from memory"
    )
    func aKeyTwice() throws {
        var batches = PostedBatches(retries: 2)
        guard case .post(let request) = post(&batches, ["a1", "a2"]) else { return #expect(Bool(false)) }
        batches.ended(request, ["a1", "a2"], attempt: 1, failure)
        for attempt in 2...3 {
            #expect(post(&batches, ["a1"], attempt: attempt) == .post(request))
            batches.ended(request, ["a1"], attempt: attempt, failure)
        }
        #expect(post(&batches, ["a2"], attempt: 2) == .post(request))
        batches.ended(request, ["a2"], attempt: 2, nil)
        #expect(batches.count == 0)
    }
}
