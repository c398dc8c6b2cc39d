import RESP

/// What a leader asks its peers on the control channel: the expirations of one node process that it did
/// not hear.
package struct RepairRequest: Sendable, Equatable {
    package static let prefix = "repair:"

    /// Names the list in which the answers are put: `account.number`.
    package var nonce: String
    /// The replica that asks; it does not answer itself.
    package var asker: String
    package var runID: String
    package var ordinals: ClosedRange<UInt64>

    /// A question for all behind its first ordinal, however far that goes.
    package static let openEnd: UInt64 = 1 << 32

    /// Whether it is unknown how many there are of what it asks for.
    var isOpenEnded: Bool { ordinals.upperBound - ordinals.lowerBound >= Self.openEnd - 1 }

    package init(nonce: String, asker: String, runID: String, ordinals: ClosedRange<UInt64>) {
        self.nonce = nonce
        self.asker = asker
        self.runID = runID
        self.ordinals = ordinals
    }

    /// The name of the account from which answers draw (see ``RepairMailbox``); nil for a question of a
    /// build without.
    package var account: String? {
        nonce.firstIndex(of: ".").map { String(nonce[..<$0]) }
    }

    /// In which of the places the answers are put (see ``RepairPlaces``): the account's name ends in `p`
    /// and its number.
    static func place(of nonce: String) -> Int {
        let account = nonce.prefix { $0 != "." }
        return account.lastIndex(of: "p").flatMap { Int(account[account.index(after: $0)...].prefix(2)) } ?? 0
    }

    /// `repair:nonce:runID:from-to:asker`; the asker comes last, for an id may hold a colon.
    package var text: String {
        "\(Self.prefix)\(nonce):\(runID):\(ordinals.lowerBound)-\(ordinals.upperBound):\(asker)"
    }

    /// The longest text that a replica writes: an id of 255 bytes, and the numbers.
    package static let limitBytes = 512

    /// Nil for text that no replica wrote. A nonce becomes a part of a key's name, so it has letters,
    /// digits and dots only.
    package init?(_ text: String) {
        guard text.hasPrefix(Self.prefix), text.utf8.count <= Self.limitBytes else { return nil }
        let parts = text.dropFirst(Self.prefix.count).split(separator: ":", maxSplits: 3)
        guard parts.count == 4, parts[0].allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == ".") }) else {
            return nil
        }
        let ends = parts[2].split(separator: "-", omittingEmptySubsequences: false).map { PlausibleCount.read($0) ?? 0 }
        guard ends.count == 2, ends[0] > 0, ends[0] <= ends[1] else { return nil }
        self.init(
            nonce: String(parts[0]), asker: String(parts[3]), runID: String(parts[1]), ordinals: ends[0]...ends[1])
    }
}
