import RESP

/// What a replica says of itself in the progress hash, for onlookers.
package struct ReplicaWord: Sendable, Equatable {
    package var version: String
    /// Expirations that the leader has taken up and this replica has not heard.
    package var behind: UInt64

    package static let prefix = "replica:"

    package init(version: String, behind: UInt64) { (self.version, self.behind) = (version, behind) }

    /// `version behind`; the register puts `v1` and the time in front.
    var text: String { "\(EscapedWord.escape(version)) \(behind)" }

    /// Nil for what no replica of this format wrote, or one that has not written for a while.
    ///
    /// - Parameter now: seconds since 1970, by the register's clock.
    package init?(text: String, now: UInt64) {
        guard text.utf8.count <= 512 else { return nil }
        let parts = text.split(separator: " ")
        guard parts.count == 4, parts[0] == "v1", let time = PlausibleCount.read(parts[1]), time + 30 >= now,
            let version = EscapedWord.read(parts[2]), version.unicodeScalars.allSatisfy(Wish.isPrintable),
            let behind = PlausibleCount.read(parts[3])
        else { return nil }
        self.init(version: version, behind: behind)
    }
}
