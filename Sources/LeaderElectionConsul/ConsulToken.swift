/// An ACL token of Consul: it can be used, but never printed. It is sent in a header, never in a URL.
public struct ConsulToken: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    let reveal: String

    /// A token as text; white space around it, such as the newline at the end of a file, is dropped.
    public init(_ text: String) {
        let characters = text.drop(while: \.isWhitespace)
        let end = characters.lastIndex { !$0.isWhitespace }
        reveal = end.map { String(characters[...$0]) } ?? ""
    }

    /// Not the token.
    public var description: String { "•••" }
    /// Not the token.
    public var debugDescription: String { "•••" }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
