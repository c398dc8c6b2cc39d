/// Finds what may have been meant.
enum Spelling {
    /// The candidate that the fewest edits turn the word into, if they are few.
    ///
    /// - Parameter least: how many are few for a short word.
    static func nearest(to word: String, in candidates: some Sequence<String>, least: Int = 1) -> String? {
        candidates.sorted().map { ($0, distance(Array(word), Array($0))) }
            .min { $0.1 < $1.1 }
            .flatMap { $0.1 <= max(least, word.count / 4) ? $0.0 : nil }
    }

    /// Insertions, deletions and replacements (Levenshtein).
    private static func distance(_ left: [Character], _ right: [Character]) -> Int {
        var row = Array(0...right.count)
        for (i, a) in left.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, b) in right.enumerated() {
                let replaced = diagonal + (a == b ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(replaced, diagonal + 1, row[j] + 1)
            }
        }
        return row[right.count]
    }
}
