/// A program and its arguments, written on one line. No shell reads them: quotes and backslashes keep
/// blanks, and nothing else is special.
struct CommandWords: Sendable, Equatable {
    let words: [String]

    /// The program without its arguments, among which there may be a password.
    @Sendable static func programOnly(_ text: String) -> String {
        guard let words = (try? CommandWords(parsing: text))?.words else { return "set" }
        return words.count == 1 ? words[0] : "\(words[0]) and \(words.count - 1) arguments"
    }

    init(parsing text: String) throws(Malformed) {
        var words: [String] = []
        var word: String?
        var quote: Character?
        var isEscaped = false
        for character in text {
            if isEscaped {
                word = (word ?? "") + String(character)
                isEscaped = false
            } else if character == "\\", quote != "'" {
                isEscaped = true
            } else if let open = quote {
                if character == open { quote = nil } else { word = (word ?? "") + String(character) }
            } else if character == "'" || character == "\"" {
                quote = character
                word = word ?? ""
            } else if character.isWhitespace {
                if let complete = word { words.append(complete) }
                word = nil
            } else {
                word = (word ?? "") + String(character)
            }
        }
        if let quote { throw Malformed("has a \(quote) without its end") }
        if isEscaped { throw Malformed("ends with a backslash") }
        if let word { words.append(word) }
        guard let first = words.first, !first.isEmpty else { throw Malformed("names no program") }
        guard !text.contains("\0") else { throw Malformed("has a zero byte") }
        self.words = words
    }
}
