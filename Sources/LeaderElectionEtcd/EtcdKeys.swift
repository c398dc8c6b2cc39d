import Foundation

/// The keys of one election. Two names never share one: only the last part differs between the keys of
/// a name.
struct EtcdKeys: Sendable {
    /// Holds the claim's value, under the claim's lease.
    let lock: Data
    /// What the replicas must agree on; it lapses with the lock, under the same lease.
    let rules: Data
    /// What the lease is for; like the rules.
    let purpose: Data
    /// The largest confirmed term and its token; it stays.
    let term: Data

    init(prefix: String, name: String) {
        lock = Data("\(prefix)/\(name)/lock".utf8)
        rules = Data("\(prefix)/\(name)/rules".utf8)
        purpose = Data("\(prefix)/\(name)/purpose".utf8)
        term = Data("\(prefix)/\(name)/term".utf8)
    }
}

/// The lease of a claim: its number follows from the claim's random value, so that a retry, another
/// connection and a release find it again without any memory of the client's.
struct EtcdLeaseID: Sendable, Hashable {
    let number: Int64

    /// FNV-1a over 64 bits, then the finalizer of MurmurHash3 so that every bit counts; etcd's lease
    /// numbers are positive.
    init(of value: String) {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in value.utf8 {
            hash ^= UInt64(byte)
            hash &*= 0x0000_0100_0000_01b3
        }
        hash ^= hash >> 33
        hash &*= 0xff51_afd7_ed55_8ccd
        hash ^= hash >> 33
        number = max(Int64(hash & UInt64(Int64.max)), 1)
    }
}

/// A confirmed term and its token, written so that the order of the bytes is the order of the terms:
/// etcd compares values as bytes only.
struct EtcdTerm: Sendable, Hashable {
    var term: UInt64 = 0
    var token: UInt64 = 0

    /// No term and no token reaches it: such a value belongs to no claim, and counts as absent.
    private static let limit: UInt64 = 1 << 53

    var bytes: Data { Data("\(Self.digits(term)) \(token)".utf8) }

    /// Smaller than the bytes of `term` and larger than those of every smaller term.
    static func floor(_ term: UInt64) -> Data { Data("\(digits(term - 1))~".utf8) }

    init(term: UInt64, token: UInt64) {
        self.term = term
        self.token = token
    }

    init?(_ bytes: Data) {
        let parts = String(decoding: bytes, as: UTF8.self).split(separator: " ")
        guard parts.count == 2, let term = UInt64(parts[0]), let token = UInt64(parts[1]),
            max(term, token) < Self.limit
        else { return nil }
        self.init(term: term, token: token)
    }

    private static func digits(_ number: UInt64) -> String {
        let text = String(number)
        return String(repeating: "0", count: 20 - text.count) + text
    }
}
