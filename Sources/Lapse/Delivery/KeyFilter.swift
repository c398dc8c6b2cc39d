package import ExpirationStream
import RESP

/// Which expirations the handler wants.
package struct KeyFilter: Sendable {
    private let match: [Glob]
    private let ignore: [Glob]
    /// Mostly one: no set would find it faster.
    private let databases: [UInt16]
    private let companions: CompanionRules?
    private let stream: StreamKeys?

    /// - Parameter stream: what is appended to; its own keys are not wanted, though one that is forgotten expires.
    package init(
        match: [String], ignore: [String], databases: [Int], companions: CompanionRules? = nil,
        stream: StreamKeys? = nil
    ) {
        self.companions = companions
        self.stream = stream
        self.match = match.map(Glob.init)
        self.ignore = ignore.map(Glob.init)
        self.databases = databases.map(UInt16.init)
    }

    package func wants(_ key: RawSpan, database: UInt16) -> Bool {
        guard isWanted(database), !Self.isOwn(key) else { return false }
        if let stream, stream.owns(key) { return false }
        if let companions, companions.isCompanion(key) { return false }
        return (match.isEmpty || match.contains { $0.matches(key) }) && !ignore.contains { $0.matches(key) }
    }

    package func wants(_ key: [UInt8], database: UInt16) -> Bool {
        // Unsafe in name only: a byte has no padding.
        wants(unsafe key.span.bytes, database: database)
    }

    private func isWanted(_ database: UInt16) -> Bool {
        for wanted in databases where wanted == database { return true }
        return false
    }

    /// Lapse's own keys, of any election: `{lapse-<digits>}:…`.
    package static func isOwn(_ key: RawSpan) -> Bool {
        // Nearly all differ in the first byte.
        guard key.byteCount > 0, key.byte(at: 0) == UInt8(ascii: "{"), key.starts(with: EventChannel.ownKeyPrefix)
        else { return false }
        var index = EventChannel.ownKeyPrefix.count
        while index < key.byteCount, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(key.byte(at: index)) {
            index += 1
        }
        return index > EventChannel.ownKeyPrefix.count && index + 2 <= key.byteCount
            && key.byte(at: index) == UInt8(ascii: "}") && key.byte(at: index + 1) == UInt8(ascii: ":")
    }
}

/// A pattern as Redis' own: `*`, `?`, `[a-z]`, `[^a]`, `\x`, over bytes.
///
/// Source: `stringmatchlen` as documented for the command KEYS. Works without recursion: on a mismatch the last star takes one
/// byte more, so no pattern takes exponential time.
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

    private func accepts(_ part: Part, _ byte: UInt8) -> Bool {
        switch part {
        case .byte(let wanted): wanted == byte
        case .any: true
        case .star: false
        case .set(let negated, let ranges): ranges.contains { $0.contains(byte) } != negated
        }
    }
}
