/// The one rule for lists: an option that takes several values may be repeated, and a comma separates
/// values, on the command line, in the environment and in a file alike. A comma that belongs to a value
/// is written `\,`.
enum OptionList {
    /// The values in one text, without the spaces around them.
    ///
    /// - Parameter isGlob: `\,` stays as it is, for that is a comma to a glob; and a set such as `[,;]`
    ///   stays whole.
    static func parts(of text: String, isGlob: Bool) -> [String] {
        var parts = [""]
        var isEscaped = false
        var isInSet = false
        for character in text {
            if isEscaped {
                isEscaped = false
                if !isGlob, character == "," { parts[parts.count - 1].removeLast() }
            } else if character == "," && !isInSet {
                parts.append("")
                continue
            } else {
                isEscaped = character == "\\"
                if isGlob, character == "[" { isInSet = true }
                if character == "]" { isInSet = false }
            }
            parts[parts.count - 1].append(character)
        }
        return parts.map(\.trimmed)
    }
}

extension String {
    fileprivate var trimmed: String {
        String(drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
    }
}
