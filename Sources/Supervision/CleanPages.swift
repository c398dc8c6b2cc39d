import Glibc

/// Gives back the memory that a large executable takes by being loaded: pages that are as they are in
/// its files.
///
/// They are the worker's too, and come back when they are touched. What was relocated or written stays,
/// so it is no matter which mapping is whose.
struct CleanPages {
    /// When to look again: nil while nothing has come back.
    private(set) var nextDrop: Duration? = .zero
    private var lastDrop: Duration?
    private static let pause = Duration.seconds(1)

    /// Something was done since: what was touched for it is back.
    mutating func wereUsed() { nextDrop = nextDrop ?? lastDrop.map { $0 + Self.pause } }

    /// Gives back what is due, at most once a second: looking for it is dearer than most of what a parent
    /// does.
    mutating func drop(_ now: Duration) {
        guard let due = nextDrop, due <= now else { return }
        nextDrop = nil
        lastDrop = now
        for mapping in mappings() {
            unsafe madvise(UnsafeMutableRawPointer(bitPattern: mapping.lowerBound), mapping.count, MADV_DONTNEED)
        }
    }

    /// Mappings of files that are not written to and hold no page of this process's own.
    private func mappings() -> [Range<UInt>] {
        let descriptor = unsafe open("/proc/self/smaps", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return [] }
        defer { _ = close(descriptor) }
        var found: [Range<UInt>] = []
        var candidate: Range<UInt>?
        var line: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = unsafe read(descriptor, &buffer, buffer.count)
            guard count > 0 else { return found }
            for byte in buffer[..<count] {
                guard byte == UInt8(ascii: "\n") else {
                    line.append(byte)
                    continue
                }
                let text = String(decoding: line, as: UTF8.self)
                line.removeAll(keepingCapacity: true)
                if let range = Self.range(text) {
                    candidate = range.isWanted ? range.range : nil
                } else if text.hasPrefix("Anonymous:") {
                    let words = text.split(separator: " ")
                    if let candidate, words.count > 1, words[1] == "0" { found.append(candidate) }
                    candidate = nil
                }
            }
        }
    }

    /// `55d3afefe000-55d3b0000000 r-xp 00000000 08:01 1234  /usr/bin/lapse`; nil for another kind of line.
    private static func range(_ line: String) -> (range: Range<UInt>, isWanted: Bool)? {
        let words = line.split(separator: " ")
        guard words.count >= 5, let dash = words[0].firstIndex(of: "-"), let low = UInt(words[0][..<dash], radix: 16),
            let high = UInt(words[0][words[0].index(after: dash)...], radix: 16), low < high
        else { return nil }
        let isFile = words.count > 5 && words[5].hasPrefix("/")
        let isReadOnly = words[1] == "r-xp" || words[1] == "r--p"
        return (low..<high, isFile && isReadOnly)
    }
}
