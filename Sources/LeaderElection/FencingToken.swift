/// A number that grows strictly from term to term. A resource that remembers the largest token it has
/// seen, and rejects smaller ones, is safe from an old leader whatever the clocks and the network do.
public struct FencingToken: RawRepresentable, Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The number to store and compare.
    public let rawValue: UInt64

    /// A token read back from a resource; 0 is smaller than every token of a term.
    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// Whether the left token is of an earlier term.
    public static func < (left: FencingToken, right: FencingToken) -> Bool {
        left.rawValue < right.rawValue
    }

    /// The number in decimal.
    public var description: String { String(rawValue) }
}

/// Throw this from the body of a term when a resource rejected the term's token as too old:
/// another term has begun, so this one ends at once, whatever the clock says.
public struct FencedOut: Error, Sendable, CustomStringConvertible {
    /// The error has no more to say: the term it is thrown in is the one that ends.
    public init() {}

    /// One line for logs.
    public var description: String { "a resource has seen a newer fencing token" }
}
