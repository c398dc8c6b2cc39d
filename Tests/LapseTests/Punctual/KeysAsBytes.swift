import RESP

@testable import Lapse

/// Keys as arrays, for tests. Unsafe in name only: a byte has no padding.
extension DeadlineTable {
    func find(_ key: [UInt8]) -> Int? { find(unsafe key.span.bytes) }
    mutating func place(of key: [UInt8]) -> (place: Int, isNew: Bool)? { place(of: unsafe key.span.bytes) }
    func key(_ place: Int) -> [UInt8] { withKey(place) { [UInt8](copying: $0) } }
}

extension PunctualMachine {
    mutating func hint(_ key: [UInt8], now: Int64) -> Bool { hint(unsafe key.span.bytes, now: now) }
    mutating func heard(_ key: [UInt8], now: Int64) -> Int64? { heard(unsafe key.span.bytes, now: now) }
}
