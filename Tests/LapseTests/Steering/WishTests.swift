import NIOCore
import RESP
import Testing

@testable import Lapse

/// What an operator leaves in the registers, and what anything else there is not.
@Suite struct WishTests {
    private static let nonce = String(repeating: "0a", count: 16)

    @Test(arguments: [nil, "b", "a b%-ä", "-"] as [String?])
    func itIsReadAsItWasWritten(target: String?) {
        let wish = Wish(
            .stepDown, nonce: Self.nonce, made: 100, expires: 130, token: 7, target: target, author: "Zoë @ host")
        #expect(Wish(.stepDown, text: wish.text) == wish)
        #expect(wish.text.split(separator: " ").count == 7, "a blank in a name is none in the text")
    }

    @Test(arguments: [
        "", "v1", "v2 \(nonce) 1 2 0 - a", "v1 \(nonce) 1 2 0 - a b", "v1 \(nonce) 1 2 0 -", "v1 short 1 2 0 - a",
        "v1 \(nonce.uppercased()) 1 2 0 - a", "v1 \(nonce) -1 2 0 - a", "v1 \(nonce) 3 2 0 - a",
        "v1 \(nonce) 1 99999999 0 - a", "v1 \(nonce) 1 18446744073709551615 0 - a", "v1 \(nonce) 1 2 -3 - a",
        "v1 \(nonce) 1 2 0 %zz a", "v1 \(nonce) 1 2 0 - a%0ab", "v1 \(nonce) 1 2 0 - %1b[31m",
        "v1 \(nonce) 1 2 0 - %ff",
        "v1 \(nonce) 1 2 0 - %", "v1 \(nonce) 1 2 0 - \(String(repeating: "a", count: 129))",
        "v1 \(nonce) 1 2 0 \(String(repeating: "a", count: 256)) a",
        "v1 \(nonce) 1 2 0 - " + String(repeating: "a", count: 1 << 20),
    ])
    func whatMakesNoSenseIsNoWish(text: String) { #expect(Wish(.pause, text: text) == nil) }

    @Test("an author of any length is read as it was cut", arguments: [127, 128, 129, 200])
    func aLongAuthor(count: Int) {
        for letter in ["a", "ä", "語"] {
            let author = Wish.fitting(String(repeating: letter, count: count / letter.utf8.count))
            let wish = Wish(.pause, nonce: Self.nonce, made: 100, expires: 130, author: author)
            #expect(author.utf8.count <= Wish.authorLimit && Wish(.pause, text: wish.text) == wish, "\(author)")
        }
        #expect(Wish.fitting(String(repeating: "a", count: 128)).hasSuffix("a"), "what fits is whole")
        #expect(Wish.fitting(String(repeating: "a", count: 200)).hasSuffix("a…"))
    }

    @Test func oneThatIsOverOrOfTheFutureDoesNotStand() {
        func standing(_ made: UInt64, _ expires: UInt64) -> StandingWish? {
            StandingWish(Wish(.pause, nonce: Self.nonce, made: made, expires: expires, author: "a"), now: 1000)
        }
        #expect(standing(900, 1000) == nil)
        #expect(standing(2000, 3000) == nil)
        #expect(standing(900, 1001)?.left == .seconds(1))
        #expect(standing(1030, 1100)?.age == .zero, "a clock that was set back a little")
    }

    private func standing(_ nonce: Character, left: Int = 10) -> StandingWish {
        StandingWish(
            wish: Wish(.pause, nonce: String(repeating: nonce, count: 32), made: 0, expires: 60, author: "a"),
            age: .seconds(5), left: .seconds(left))
    }

    @Test func aMajorityOfAllRegistersDecides() {
        let (one, two) = (standing("1"), standing("2"))
        #expect(WishVote.outcome([one, one, nil], of: 3, before: nil) == one)
        #expect(
            WishVote.outcome([one, nil, nil], of: 3, before: one) == nil, "one register was away when it was removed")
        #expect(WishVote.outcome([one, two, two], of: 3, before: one) == two)
        #expect(WishVote.outcome([standing("1", left: 9), one, nil], of: 3, before: nil)?.left == .seconds(9))
    }

    @Test func whatCannotBeToldStaysAsItWas() {
        let one = standing("1")
        #expect(WishVote.outcome([one, nil], of: 3, before: nil) == nil, "it begins by a majority only")
        #expect(WishVote.outcome([one, nil], of: 3, before: one) == one)
        #expect(WishVote.outcome([nil], of: 3, before: one) == one)
        #expect(WishVote.outcome([nil, nil], of: 3, before: one) == nil)
    }

    @Test("an onlooker says no only where no register that tells nothing could make it yes")
    func unknownIsNotNo() {
        let (one, two) = (standing("1"), standing("2"))
        #expect(WishVote.stands([one, one, nil], of: 3) == true)
        #expect(WishVote.stands([one, one], of: 3) == true)
        #expect(WishVote.stands([nil, nil], of: 3) == false)
        #expect(WishVote.stands([one, nil, nil], of: 3) == false)
        #expect(WishVote.stands([one, two, nil], of: 3) == false)
        #expect(WishVote.stands([one, nil], of: 3) == nil, "the third may hold it, too")
        #expect(WishVote.stands([nil], of: 3) == nil)
        #expect(WishVote.stands([], of: 1) == nil && WishVote.stands([nil], of: 1) == false)
    }

    @Test("a pause that one of two registers shows is in force where the leader says so, and can be taken back")
    func aPauseThatTooFewShow() {
        let one = standing("1")
        var holder = RegisterWord()
        holder.wishes[.pause] = one
        var words = [RegisterWord(), holder]
        #expect(WishSnapshot(words, of: 3).wishes[.pause] == nil)
        #expect(WishSnapshot(words, of: 3).pauses == [one.wish] && WishSnapshot(words, of: 3).pause == nil)
        words[0].answers[.pause] = SteeringAnswer(
            token: 4, nonce: one.wish.nonce, verdict: .paused, replica: "a", text: "9")
        #expect(WishSnapshot(words, of: 3).pause == one.wish)
        words[1].answers[.pause] = SteeringAnswer(token: 5, nonce: one.wish.nonce, verdict: .resumed, replica: "b")
        #expect(WishSnapshot(words, of: 3).pause == nil && WishSnapshot(words, of: 3).pauses == [one.wish])
        #expect(WishSnapshot([holder, holder], of: 3).pause == one.wish)
        #expect(WishSnapshot([holder, holder], of: 3).pauses == [one.wish])
        #expect(WishSnapshot([RegisterWord()], of: 3).pauses.isEmpty)
    }

    /// A pause and a step-down may be seen at one reading, and their answers come one after the other.
    @Test(arguments: [true, false]) func theAnswerToOneKindHidesNoOther(isFormerFirst: Bool) throws {
        let paused = SteeringAnswer(token: 9, nonce: Self.nonce, verdict: .paused, replica: "a", text: "60")
        let accepted = SteeringAnswer(
            token: 9, nonce: String(repeating: "0b", count: 16), verdict: .accepted, replica: "a")
        func word(_ fields: [(String, SteeringAnswer)]) throws -> RegisterWord {
            let flat = (isFormerFirst ? fields : fields.reversed()).flatMap { [$0.0, $0.1.written] }
            return try #require(
                RegisterWord(
                    .array([.array(flat.map { .bulk(ByteBuffer(string: $0)) }), .array([]), .integer(1_000)]),
                    tokenField: "token"))
        }
        let both = try word([("steered", accepted), (paused.field, paused), (accepted.field, accepted)])
        #expect(WishSnapshot([both], of: 1).answers == [.pause: paused, .stepDown: accepted])
        // A build before wrote one field for both kinds.
        #expect(WishSnapshot([try word([("steered", paused)])], of: 1).answers == [.pause: paused])
        let resumed = SteeringAnswer(token: 10, nonce: Self.nonce, verdict: .resumed, replica: "b")
        #expect(try word([("steered", resumed), (paused.field, paused)]).answers == [.pause: resumed])
        let again = SteeringAnswer(token: 9, nonce: Self.nonce, verdict: .resumed, replica: "a")
        #expect(try word([("steered", paused), (again.field, again)]).answers == [.pause: again])
    }

    @Test func theLeadersAnswerIsReadAsItWasWritten() {
        let answer = SteeringAnswer(
            token: 9, nonce: Self.nonce, verdict: .refused, replica: "a b", text: "no other replica is alive")
        #expect(SteeringAnswer(written: answer.written) == answer)
        #expect(SteeringAnswer(written: answer.written + " x") == nil)
        #expect(SteeringAnswer(written: "v1 9 \(Self.nonce) maybe a ") == nil)
        let silent = SteeringAnswer(token: 9, nonce: Self.nonce, verdict: .done, replica: "a")
        #expect(SteeringAnswer(written: silent.written) == silent)
    }
}
