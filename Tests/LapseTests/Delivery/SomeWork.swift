@testable import Lapse

extension Work {
    static func some(_ key: String, _ ordinal: UInt64, runID: String = "run", database: UInt16 = 0) -> Work {
        let bytes = Array(key.utf8)
        return Work(
            Expiration(
                key: ExpirationKey(bytes: bytes), database: database,
                process: NodeProcess(runID: runID, node: "10.0.0.1:6379"), ordinal: ordinal, origin: .live,
                receivedMilliseconds: 0),
            // Unsafe in name only: a byte has no padding.
            line: KeyLine(unsafe bytes.span.bytes, database: database))
    }
}
