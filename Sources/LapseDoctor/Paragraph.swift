/// Text broken between words to fit a width.
struct Paragraph {
    let width: Int

    func lines(_ text: String, indent: String) -> [String] {
        var lines: [String] = []
        var line = indent
        for word in text.split(separator: " ") {
            if line.count > indent.count, line.count + 1 + word.count > width {
                lines.append(line)
                line = indent
            }
            line += line.count > indent.count ? " \(word)" : word
        }
        if line.count > indent.count { lines.append(line) }
        return lines
    }
}
