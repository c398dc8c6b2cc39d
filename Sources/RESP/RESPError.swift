/// An error reply. Redis begins it with a word that tells what to do: MOVED, ASK, NOPERM, LOADING, …
package struct RESPError: Error, Sendable, Equatable, CustomStringConvertible {
    package let text: String

    /// Redis repeats the arguments of a command that it does not know, and the password is one of them
    /// where AUTH was renamed away. That part is dropped here, so no log can show it.
    package init(_ text: String) {
        var kept = Substring(text)
        if let echo = text.firstRange(of: ", with args beginning with:") {
            kept = text[..<echo.lowerBound]
        }
        self.text = String(kept)
    }

    /// The first word.
    package var code: Substring { text.prefix { $0 != " " } }

    package var description: String { text }
}
