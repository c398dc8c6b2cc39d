import RESP

/// A key's bytes where they are cheapest to pass on: most keys are short, and then there is nothing to
/// allocate or to count.
struct KeyBytes: Sendable, Hashable {
    private enum Storage: Sendable {
        case short(ShortKey)
        case long([UInt8])
    }

    private let storage: Storage

    init(_ key: RawSpan) {
        storage = key.byteCount <= ShortKey.capacity ? .short(ShortKey(key)) : .long([UInt8](copying: key))
    }

    init(_ bytes: [UInt8]) {
        // Unsafe in name only: a byte has no padding.
        storage = bytes.count <= ShortKey.capacity ? .short(ShortKey(unsafe bytes.span.bytes)) : .long(bytes)
    }

    var array: [UInt8] {
        switch storage {
        case .short(let key): key.array
        case .long(let bytes): bytes
        }
    }

    static func == (left: KeyBytes, right: KeyBytes) -> Bool {
        switch (left.storage, right.storage) {
        case (.short(let left), .short(let right)): left == right
        case (.long(let left), .long(let right)): left == right
        default: false
        }
    }

    func hash(into hasher: inout Hasher) {
        switch storage {
        case .short(let key): key.hash(into: &hasher)
        // Unsafe: the bytes are read inside the closure only.
        case .long(let bytes): unsafe bytes.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
        }
    }
}

/// A key of up to 48 bytes, in words; what it does not fill is zero.
private struct ShortKey: Sendable, Hashable {
    static let capacity = 48

    private let count: UInt8
    private let words: InlineArray<6, UInt64>

    init(_ key: RawSpan) {
        count = UInt8(key.byteCount)
        var words = InlineArray<6, UInt64>(repeating: 0)
        var offset = 0
        while offset < key.byteCount {
            words[offset / 8] = key.word(at: offset)
            offset += 8
        }
        self.words = words
    }

    var array: [UInt8] {
        (0..<Int(count)).map { UInt8(truncatingIfNeeded: words[$0 / 8] >> UInt64($0 % 8 * 8)) }
    }

    static func == (left: ShortKey, right: ShortKey) -> Bool {
        guard left.count == right.count else { return false }
        for index in 0..<6 where left.words[index] != right.words[index] { return false }
        return true
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(count)
        for index in 0..<(Int(count) + 7) / 8 { hasher.combine(words[index]) }
    }
}
