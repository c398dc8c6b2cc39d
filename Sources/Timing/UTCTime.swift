/// A point in time as ISO 8601 in UTC, to the millisecond: `2026-01-02T03:04:05.678Z`.
package struct UTCTime: Sendable {
    private let milliseconds: Int64

    /// - Parameter milliseconds: since 1970.
    package init(milliseconds: Int64) { self.milliseconds = milliseconds }

    package var text: String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(24)
        write(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Much cheaper than a formatter, which matters where every expiration is a line.
    package func write(to bytes: inout [UInt8]) {
        let (days, inDay) = milliseconds.quotientFloored(by: 86_400_000)
        let date = Self.date(days)
        Self.write(date.year, 4, to: &bytes)
        bytes.append(UInt8(ascii: "-"))
        Self.write(date.month, 2, to: &bytes)
        bytes.append(UInt8(ascii: "-"))
        Self.write(date.day, 2, to: &bytes)
        bytes.append(UInt8(ascii: "T"))
        Self.write(inDay / 3_600_000, 2, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        Self.write(inDay / 60_000 % 60, 2, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        Self.write(inDay / 1000 % 60, 2, to: &bytes)
        bytes.append(UInt8(ascii: "."))
        Self.write(inDay % 1000, 3, to: &bytes)
        bytes.append(UInt8(ascii: "Z"))
    }

    /// The civil date of a day since 1970.
    ///
    /// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`. The year
    /// begins in March there, so that the leap day is its last.
    private static func date(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, inEra) = (days + 719_468).quotientFloored(by: 146_097)
        let yearOfEra = (inEra - inEra / 1460 + inEra / 36_524 - inEra / 146_096) / 365
        let dayOfYear = inEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
    }

    private static func write(_ number: Int64, _ digits: Int, to bytes: inout [UInt8]) {
        var divisor: Int64 = 1
        for _ in 1..<digits { divisor *= 10 }
        while divisor > 0 {
            bytes.append(UInt8(ascii: "0") + UInt8(number / divisor % 10))
            divisor /= 10
        }
    }
}

extension Int64 {
    /// Division that rounds down, for times before 1970 too.
    fileprivate func quotientFloored(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
