/// A right that a user lacks, known by the server's words alone: an error out of a script has no code.
package enum MissingRight {
    private static let words = ["user executing the script can't", "NOPERM", "no permissions", "ACL failure"]

    /// Whether an error says so.
    package static func isNamed(in text: String) -> Bool { words.contains { text.contains($0) } }
}
