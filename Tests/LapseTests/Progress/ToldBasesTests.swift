import LeaderElection
import LeaderElectionRedis
import NIOCore
import RESP
import RedisClient
import Synchronization
import Testing

@testable import Lapse

/// What registers refuse for a moment is told again: a base, and whether the logs are whole.
struct ToldBasesTests {
    private func keeper(_ id: String, _ registers: [RefusingRegister]) -> ProgressKeeper {
        let keys = ElectionKeys.registers(registers.count, name: "test")
        return ProgressKeeper(
            places: zip(keys, registers).map { .init(keys: $0, runner: $1) }, id: id, timeout: .seconds(5))
    }

    @Test("row 116: a base that too few registers took is told again by the next mark, and then no more")
    func toldAgainByAMark() async {
        let registers = [0, 1, 1].map { RefusingRegister(refusals: $0) }
        let one = keeper("a", registers)
        await one.publish(base: 100, of: "run")
        await one.publish(base: 100, of: "run")
        let other = keeper("b", [registers[1]])
        _ = await other.read()
        #expect(other.base(of: "run") == 100)
        await one.publish(base: 100, of: "run")
        await one.publish(base: 40, of: "run")
        #expect(registers.map(\.asked) == [2, 2, 2])
        await one.publish(base: 130, of: "run")
        _ = await other.read()
        #expect(other.base(of: "run") == 130, "it has grown")
    }

    @Test("row 116: a base that was refused is told again with the next read, until it is taken")
    func toldAgainByARead() async {
        let register = RefusingRegister(refusals: 2)
        let one = keeper("a", [register])
        await one.publish(base: 100, of: "run")
        for _ in 0..<4 { _ = await one.read() }
        #expect(register.asked == 3)
        let other = keeper("b", [register])
        _ = await other.read()
        #expect(other.base(of: "run") == 100)
    }

    @Test func aTermThatBeginsWaitsForNoTelling() async {
        let register = RefusingRegister(refusals: 1)
        let one = keeper("a", [register])
        await one.publish(base: 100, of: "run")
        _ = await one.read(fencing: FencingToken(rawValue: 7))
        #expect(register.asked == 1)
    }

    @Test func whetherLogsAreWholeIsSaidOnlyOnceAMajorityHasTakenIt() async {
        let one = keeper("a", [0, 1, 1].map { RefusingRegister(refusals: $0) })
        let word = Wholeness(token: 7, isWhole: true)
        let taken = [await one.write(word), await one.write(word)]
        #expect(taken == [false, true])
    }
}

/// A register in memory that refuses its first writes, and keeps the fields of the later ones.
private final class RefusingRegister: ScriptRunner {
    private struct State {
        var refusals: Int
        var asked = 0
        var fields: [String: String] = [:]
    }

    private let state: Mutex<State>

    init(refusals: Int) { state = Mutex(State(refusals: refusals)) }

    /// How many writes it was asked for.
    var asked: Int { state.withLock { $0.asked } }

    func run(_ script: Script, keys: [String], arguments: [[UInt8]], timeout: Duration) async throws(RedisError)
        -> RESPValue
    {
        guard script !== ProgressScripts.read else { return answer }
        let words = arguments.map { String(decoding: $0, as: UTF8.self) }
        let isTaken = state.withLock { state -> Bool in
            state.asked += 1
            state.refusals -= 1
            guard state.refusals < 0 else { return false }
            if script === ProgressScripts.tellBase { state.fields[words[0]] = "v1 \(words[1])" }
            return true
        }
        guard isTaken else { throw RedisError(.denied, node: nil, "OOM command not allowed") }
        return .integer(1)
    }

    func node(for key: String) -> NodeAddress? { nil }

    private var answer: RESPValue {
        let fields = state.withLock { $0.fields }
        let flat = fields.flatMap { [$0.key, $0.value] }.map { RESPValue.bulk(ByteBuffer(string: $0)) }
        return .array([.array(flat), .array([]), .integer(1_000), .bulk(ByteBuffer(string: ""))])
    }
}
