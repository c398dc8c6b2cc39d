/// Text from anywhere, made safe for a line on a terminal: nothing in it can end the line or steer the screen.
package enum Printable {
    package static func text(_ text: String) -> String { escaped(text, quote: nil) }

    /// In quotation marks when a reader could not tell where the text ends.
    package static func quoted(_ text: String) -> String {
        let isPlain = !text.isEmpty && !text.unicodeScalars.contains { $0.value <= 0x20 || $0 == "\"" || $0 == "=" }
        return isPlain ? self.text(text) : "\"" + escaped(text, quote: "\"") + "\""
    }

    private static func escaped(_ text: String, quote: Unicode.Scalar?) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\\" where quote != nil: result += "\\\\"
            case quote: result += "\\\""
            case _ where isUnprintable(scalar): result += "\\u{" + String(scalar.value, radix: 16) + "}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private static func isUnprintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        // Format characters turn the direction of a line around.
        case .control, .format, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }
}
