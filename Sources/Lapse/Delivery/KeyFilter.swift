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

    /// - Parameter stream: what is appended to; its own keys are not wanted, though one that is forgotten
    ///   expires.
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
