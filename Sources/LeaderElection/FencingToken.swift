/// A number that grows strictly from term to term. A resource that remembers the largest token it has
/// seen, and rejects smaller ones, is safe from an old leader whatever the clocks and the network do.
public struct FencingToken: RawRepresentable, Sendable, Hashable, Comparable, CustomStringConvertible {
    public let rawValue: UInt64

    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    public static func < (left: FencingToken, right: FencingToken) -> Bool {
        left.rawValue < right.rawValue
    }

    public var description: String { String(rawValue) }
}

/// Throw this from the body of a term when a resource rejected the term's token as too old:
/// another term has begun, so this one ends at once, whatever the clock says.
public struct FencedOut: Error, Sendable, CustomStringConvertible {
    public init() {}
    public var description: String { "a resource has seen a newer fencing token" }
}
