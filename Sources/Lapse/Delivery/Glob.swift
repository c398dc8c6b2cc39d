import RESP

/// A pattern as Redis' own: `*`, `?`, `[a-z]`, `[^a]`, `\x`, over bytes.
///
/// Source: `stringmatchlen` as documented for the command KEYS. Works without recursion: on a mismatch
/// the last star takes one byte more, so no pattern takes exponential time.
package struct Glob: Sendable, Hashable {
    private enum Part: Sendable, Hashable {
        case byte(UInt8)
        case any
        case star
        case set(negated: Bool, ranges: [ClosedRange<UInt8>])
    }

    private let parts: [Part]

    package init(_ pattern: String) {
        var parts: [Part] = []
        var rest = Array(pattern.utf8)[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "*"): if parts.last != .star { parts.append(.star) }
            case UInt8(ascii: "?"): parts.append(.any)
            case UInt8(ascii: "\\"): parts.append(.byte(rest.popFirst() ?? byte))
            case UInt8(ascii: "["): parts.append(Self.set(&rest))
            default: parts.append(.byte(byte))
            }
        }
        self.parts = parts
    }

    private static func set(_ rest: inout ArraySlice<UInt8>) -> Part {
        var negated = false
        var ranges: [ClosedRange<UInt8>] = []
        if rest.first == UInt8(ascii: "^") {
            negated = true
            rest.removeFirst()
        }
        while let low = rest.popFirst(), low != UInt8(ascii: "]") {
            if low == UInt8(ascii: "\\"), let escaped = rest.popFirst() {
                // Redis begins no range with an escaped byte, and ends one with whatever stands behind the dash.
                ranges.append(escaped...escaped)
            } else if rest.first == UInt8(ascii: "-"), let high = rest.dropFirst().first {
                rest = rest.dropFirst(2)
                ranges.append(min(low, high)...max(low, high))
            } else {
                ranges.append(low...low)
            }
        }
        return .set(negated: negated, ranges: ranges)
    }

    package func matches(_ text: RawSpan) -> Bool {
        var part = 0
        var at = 0
        var retry: (part: Int, at: Int)?
        while at < text.byteCount || part < parts.count {
            if part < parts.count {
                if parts[part] == .star {
                    retry = (part, at + 1)
                    part += 1
                    continue
                }
                if at < text.byteCount, accepts(parts[part], text.byte(at: at)) {
                    part += 1
                    at += 1
                    continue
                }
            }
            guard let again = retry, again.at <= text.byteCount else { return false }
            (part, at) = (again.part + 1, again.at)
            retry = (again.part, again.at + 1)
        }
        return true
    }

    /// A text that matches, with `filling` for each star; nil where none can.
    package func example(_ filling: String) -> [UInt8]? {
        var text: [UInt8] = []
        for part in parts {
            switch part {
            case .byte(let byte): text.append(byte)
            case .any: text.append(UInt8(ascii: "x"))
            case .star: text += Array(filling.utf8)
            case .set:
                guard let byte = (UInt8.min ... .max).first(where: { accepts(part, $0) }) else { return nil }
                text.append(byte)
            }
        }
        return text
    }

    private func accepts(_ part: Part, _ byte: UInt8) -> Bool {
        switch part {
        case .byte(let wanted): wanted == byte
        case .any: true
        case .star: false
        case .set(let negated, let ranges): ranges.contains { $0.contains(byte) } != negated
        }
    }
}
