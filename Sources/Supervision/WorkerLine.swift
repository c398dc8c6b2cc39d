/// What a worker tells its parent, a line each. The parent takes it for hostile: a line has a length,
/// and means nothing else.
package enum WorkerLine: Sendable, Equatable {
    /// A claim is about to be made; the text is for the process that releases it, and the parent does not
    /// look into it.
    case claim(String)
    /// The last claim has won.
    case leads
    /// The last claim was given back.
    case released
    /// The options were understood, and the service runs.
    case ready
    /// For the service manager's watchdog.
    case alive

    /// The most bytes of a line, with its end.
    package static let limit = 4096

    /// Without the newline; nil for what no worker of this version says.
    init?(_ line: some Collection<UInt8>) {
        let text = String(decoding: line, as: UTF8.self)
        let words = text.split(separator: " ", maxSplits: 1)
        switch (words.first, words.count) {
        case ("claim", 2): self = .claim(String(words[1]))
        case ("leads", 1): self = .leads
        case ("released", 1): self = .released
        case ("ready", 1): self = .ready
        case ("alive", 1): self = .alive
        default: return nil
        }
    }

    /// With the newline; nil for one that is too long or is more than one line.
    package var bytes: [UInt8]? {
        let text: String =
            switch self {
            case .claim(let claim): "claim \(claim)"
            case .leads: "leads"
            case .released: "released"
            case .ready: "ready"
            case .alive: "alive"
            }
        let bytes = Array(text.utf8) + [UInt8(ascii: "\n")]
        guard bytes.count <= Self.limit, bytes.count(where: { $0 == UInt8(ascii: "\n") }) == 1 else { return nil }
        return bytes
    }
}

/// Cuts what was read into lines. Of a line that is too long nothing is kept.
package struct WorkerLineReader: Sendable {
    private var rest: [UInt8] = []
    private var isTooLong = false

    package init() {}

    package mutating func lines(in bytes: ArraySlice<UInt8>) -> [WorkerLine] {
        var lines: [WorkerLine] = []
        for byte in bytes {
            guard byte == UInt8(ascii: "\n") else {
                if rest.count < WorkerLine.limit { rest.append(byte) } else { isTooLong = true }
                continue
            }
            if !isTooLong, let line = WorkerLine(rest) { lines.append(line) }
            rest.removeAll(keepingCapacity: true)
            isTooLong = false
        }
        return lines
    }
}
