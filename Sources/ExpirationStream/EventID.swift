import FoundationEssentials

/// What tells one expiration from all others, the same at each attempt and in each replica.
package enum EventID {
    /// A longer key is in an ID by its digest and length: `--exec` hands the ID over as a variable, of
    /// which Linux takes 128 KiB.
    private static let longestKey = 64 << 10

    /// The position; what was found by its companion has none, and is told apart by its key and value.
    package static func of(
        runID: String, ordinal: UInt64, database: Int, key: [UInt8], value: [UInt8]?
    ) -> String {
        guard ordinal == 0 else { return "\(runID)-\(ordinal)" }
        // FNV-1a, 64 bits: the same in each process. Only values of one key share a prefix.
        let hash = (value ?? []).reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        let name =
            key.count <= longestKey
            ? Data(key).base64EncodedString()
            : "\(String(KeyDigest(database: database, key: key).rawValue, radix: 16)).\(key.count)"
        return "reconcile-\(database)-\(name)-\(String(hash, radix: 16))"
    }
}
