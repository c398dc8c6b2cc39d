import Foundation
import LeaderElection
import NIOCore
import RESP

/// Draws texts and values that a hostile or broken peer may send, the same ones from the same seed.
///
/// Valid examples are changed in two ways: numbers are replaced by extreme ones, and bytes are changed,
/// dropped, doubled or cut off. Extreme numbers find arithmetic that traps; changed bytes find indexes
/// and conversions that do.
struct HostileText {
    static let seed = ProcessInfo.processInfo.environment["LAPSE_FUZZ_SEED"].flatMap { UInt64($0) } ?? 20_261
    static let rounds = ProcessInfo.processInfo.environment["LAPSE_SLOW_TESTS"] == nil ? 3_000 : 200_000
    /// Prints each case before it runs: the last line before a trap is the case that traps.
    private static let isVerbose = ProcessInfo.processInfo.environment["LAPSE_FUZZ_VERBOSE"] != nil

    static let numbers = [
        "0", "1", "2", "3", "63", "64", "65", "255", "256", "65535", "65536", "2147483647", "4294967295", "4294967296",
        "9007199254740992", "4611686018427387903", "4611686018427387904", "9223372036854775806", "9223372036854775807",
        "9223372036854775808", "18446744073709551614", "18446744073709551615", "18446744073709551616", "-1",
        "-9223372036854775808", "-9223372036854775809", "+5", "007", "1e3", "", "٣", "99999999999999999999999999",
    ]

    var random: RandomSource

    init(_ stream: UInt64) { random = .seeded(Self.seed &+ stream &* 1_000_003) }

    mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[Int.random(in: elements.indices, using: &random)]
    }

    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

    /// Any of the extreme numbers that a field of 64 bits holds, as it is read from a socket.
    mutating func number() -> UInt64 { UInt64(pick(Self.numbers)) ?? UInt64.random(in: .min ... .max, using: &random) }

    /// One of the examples, changed. `name` says in the verbose output what is fed.
    mutating func text(_ name: String, _ examples: [String]) -> String {
        var text = pick(examples)
        if chance(85) { text = withExtremes(text) }
        var bytes = Array(text.utf8)
        if chance(30) { bytes = changed(bytes) }
        let result = String(decoding: bytes, as: UTF8.self)
        note(name, result)
        return result
    }

    /// Some bytes of an example changed.
    mutating func bytes(_ name: String, _ example: [UInt8]) -> [UInt8] {
        let result = chance(90) ? changed(example) : example
        note(name, "\(result)")
        return result
    }

    func note(_ name: String, _ text: @autoclosure () -> String) {
        guard Self.isVerbose else { return }
        FileHandle.standardError.write(Data("\(name): \(text().debugDescription.prefix(400))\n".utf8))
    }

    private mutating func withExtremes(_ text: String) -> String {
        var result = ""
        var rest = text[...]
        while let first = rest.first {
            let isDigit = first.isASCII && first.isNumber
            let run = rest.prefix { ($0.isASCII && $0.isNumber) == isDigit }
            rest = rest[run.endIndex...]
            result += isDigit && chance(40) ? pick(Self.numbers) : String(run)
        }
        return result
    }

    private mutating func changed(_ example: [UInt8]) -> [UInt8] {
        var bytes = example
        for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
            let index = Int.random(in: bytes.indices, using: &random)
            switch Int.random(in: 0..<7, using: &random) {
            case 0: bytes[index] = UInt8.random(in: .min ... .max, using: &random)
            case 1: bytes.remove(at: index)
            case 2: bytes.insert(pick(Array("-,: @[]<>=0123456789\r\n\0\u{ff}".utf8)), at: index)
            case 3: bytes.removeSubrange(index...)
            case 4: bytes.insert(contentsOf: bytes.prefix(Int.random(in: 0...40, using: &random)), at: index)
            case 5: bytes[index] = 0xff
            default: bytes[index] = 0
            }
        }
        return bytes
    }

    /// A reply of nested values; leaves are texts and integers that may be extreme.
    mutating func reply(_ name: String, _ example: RESPValue) -> RESPValue {
        let result = changed(example)
        note(name, "\(result)")
        return result
    }

    private mutating func changed(_ value: RESPValue) -> RESPValue {
        if chance(8) {
            return pick([
                .null, .integer(.max), .integer(.min), .array([]), .bulk(ByteBuffer()), .simple("OK"),
                .error(RESPError("ERR no")), .integer(Int64(bitPattern: number())),
            ])
        }
        switch value {
        case .array(let elements):
            var changed = elements.map { self.changed($0) }
            if chance(5), !changed.isEmpty { changed.removeLast() }
            if chance(5) { changed.append(.integer(1)) }
            return .array(changed)
        case .bulk(let buffer):
            return .bulk(ByteBuffer(string: withExtremes(String(buffer: buffer))))
        case .integer: return chance(40) ? .integer(Int64(bitPattern: number())) : value
        default: return value
        }
    }
}

extension RESPValue {
    static func text(_ text: String) -> RESPValue { .bulk(ByteBuffer(string: text)) }
}
