/// Text from anywhere, made safe for a line on a terminal: nothing in it can end the line or steer the
/// screen.
package enum Printable {
    package static func text(_ text: String) -> String { escaped(text, quote: nil) }

    /// In quotation marks when a reader could not tell where the text ends, and then escaped as JSON
    /// escapes: so that readers of logfmt get back what was logged.
    package static func quoted(_ text: String) -> String {
        let isPlain =
            !text.isEmpty
            && !text.unicodeScalars.contains {
                $0.value <= 0x20 || $0 == "\"" || $0 == "=" || $0 == "\\" || isUnprintable($0)
            }
        return isPlain ? text : "\"" + escaped(text, quote: "\"") + "\""
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
            case _ where isUnprintable(scalar):
                for unit in String(scalar).utf16 {
                    let digits = String(unit, radix: 16)
                    result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                }
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
