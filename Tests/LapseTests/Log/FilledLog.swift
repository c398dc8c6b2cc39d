import RESP

@testable import Lapse

extension ExpirationLog {
    /// Appends a key with what most tests do not care about.
    mutating func add(
        _ key: [UInt8], _ number: UInt64, isNumbered: Bool = true, database: UInt16 = 0, now: UInt64 = 1_000,
        provenance: Provenance = .trusted(look: 1)
    ) {
        // Unsafe in name only: a byte has no padding.
        append(
            unsafe key.span.bytes, database: database, number: number, isNumbered: isNumbered, now: now,
            provenance: provenance)
    }

    mutating func add(_ key: String, _ number: UInt64, isNumbered: Bool = true, now: UInt64 = 1_000) {
        add(Array(key.utf8), number, isNumbered: isNumbered, now: now)
    }

    /// The ordinals after one, in the order of the visit.
    func ordinals(after ordinal: UInt64 = 0) -> [UInt64] {
        var all: [UInt64] = []
        forEach(after: ordinal) { entry, _ in
            all.append(entry.ordinal)
            return true
        }
        return all
    }

    /// The keys after an ordinal, in the order of the visit.
    func keys(after ordinal: UInt64 = 0) -> [[UInt8]] {
        var all: [[UInt8]] = []
        forEach(after: ordinal) { _, key in
            all.append([UInt8](copying: key))
            return true
        }
        return all
    }
}

extension ExpirationLog.Provenance {
    /// Heard while the last ping that was answered had been sent a moment ago.
    static func trusted(look: Int) -> Self { .trusted(since: look, look: look) }
}
