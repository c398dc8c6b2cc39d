import RESP
import Testing

@testable import Lapse

/// Row 50: which questions are answered, whatever is published.
struct RepairAdmissionTests {
    private func question(_ nonce: String, asker: String = "leader") -> RepairRequest {
        RepairRequest(nonce: nonce, asker: asker, runID: "run", ordinals: 1...2)
    }

    @Test func aQuestionIsAnsweredOnceUnlessTheAnswerCouldNotBeWritten() {
        var admission = RepairAdmission()
        let request = question("a.1")
        let own = admission.admits(request, for: "leader", members: [], now: .zero)
        let first = admission.admits(request, for: "peer", members: [], now: .zero)
        let second = admission.admits(request, for: "peer", members: [], now: .zero)
        admission.forget(request)
        let third = admission.admits(request, for: "peer", members: [], now: .zero)
        #expect([own, first, second, third] == [false, true, false, true])
    }

    @Test("without an account only members are answered, and a few times a second")
    func withoutAnAccount() {
        var admission = RepairAdmission()
        let stranger = admission.admits(question("1"), for: "peer", members: ["leader"], now: .zero)
        #expect(stranger)
        let unknown = admission.admits(question("2", asker: "x"), for: "peer", members: ["leader"], now: .zero)
        #expect(!unknown)
        var answered = 0
        for second in 0..<10 {
            for number in 0..<300 {
                let request = question("\(second)x\(number)")
                if admission.admits(request, for: "peer", members: ["leader"], now: .seconds(second)) { answered += 1 }
            }
        }
        #expect(answered <= 8 + 4 * 10)
    }

    @Test("a flood of forged questions with accounts that do not exist hides no true one, and is bounded all the same")
    func aFlood() {
        var admission = RepairAdmission()
        var looked = 0
        for number in 0..<30_000 {
            let now = Duration.milliseconds(number / 10)
            if admission.admits(question("f.\(number)"), for: "peer", members: [], now: now) { looked += 1 }
        }
        #expect(looked <= 400 + 400 * 3)
        let slow = (0..<300).count { number in
            admission.admits(
                question("s.\(number)"), for: "peer", members: [], now: .seconds(10) + .microseconds(number * 3_333))
        }
        #expect(slow == 300, "300 a second are looked at, every one")
    }
}
