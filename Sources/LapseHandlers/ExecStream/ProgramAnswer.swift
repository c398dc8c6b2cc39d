import FoundationEssentials

/// A line that a program of `--exec-stream` has written: the id of what it has handled, or an object
/// with what became of it.
struct ProgramAnswer: Equatable {
    enum Verdict: Equatable {
        case handled
        /// Another attempt is wanted.
        case again
        case failed(String)
    }

    let id: String
    let verdict: Verdict

    /// Of an error text, in bytes.
    static let textLimit = 1024

    private struct Object: Decodable {
        let id: String
        let again: Bool?
        let error: String?
    }

    init(id: String, verdict: Verdict) {
        self.id = id
        self.verdict = verdict
    }

    /// Whether the id alone is an answer to its question.
    static func canBeLine(_ id: String) -> Bool { !id.hasPrefix("{") && isID(id.utf8) }

    private static func isID(_ bytes: some Collection<UInt8>) -> Bool {
        !bytes.isEmpty && bytes.allSatisfy { $0 > 0x20 && $0 < 0x7F }
    }

    /// Nil for what is no answer. A program may write anything.
    init?(_ line: ArraySlice<UInt8>) {
        if line.first == UInt8(ascii: "{") {
            guard let object = try? JSONDecoder().decode(Object.self, from: Data(line)), !object.id.isEmpty else {
                return nil
            }
            id = object.id
            if let error = object.error {
                verdict = .failed(String(decoding: error.utf8.prefix(Self.textLimit), as: UTF8.self))
            } else {
                verdict = object.again == true ? .again : .handled
            }
        } else {
            guard Self.isID(line) else { return nil }
            id = String(decoding: line, as: UTF8.self)
            verdict = .handled
        }
    }
}

/// What a program writes, cut into lines. One that is too long is dropped as it comes.
struct AnswerLines {
    /// Of an id, and so of what a program may be asked: it grows with the key where there is no position.
    static let idLimit = 256 << 10
    /// JSON may write each byte of an id as six.
    static let limit = 8 * idLimit

    private var rest: [UInt8] = []
    private var isTooLong = false

    /// - Parameter each: called with each line that has ended; nil for one that was too long.
    mutating func append(_ bytes: ArraySlice<UInt8>, _ each: (ArraySlice<UInt8>?) -> Void) {
        var left = bytes
        while let end = left.firstIndex(of: UInt8(ascii: "\n")) {
            add(left[..<end])
            if rest.last == UInt8(ascii: "\r") { rest.removeLast() }
            each(isTooLong ? nil : rest[...])
            (rest, isTooLong) = ([], false)
            left = left[(end + 1)...]
        }
        add(left)
    }

    private mutating func add(_ bytes: ArraySlice<UInt8>) {
        guard !isTooLong else { return }
        guard rest.count + bytes.count <= Self.limit else {
            (rest, isTooLong) = ([], true)
            return
        }
        rest.append(contentsOf: bytes)
    }
}
