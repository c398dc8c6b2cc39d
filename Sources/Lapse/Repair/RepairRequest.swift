/// What a leader asks its peers on the control channel: the expirations of one node process that it did not hear.
package struct RepairRequest: Sendable, Equatable {
    package static let prefix = "repair:"

    /// Names the list in which the answers are put.
    package var nonce: String
    /// The replica that asks; it does not answer itself.
    package var asker: String
    package var runID: String
    package var ordinals: ClosedRange<UInt64>

    package init(nonce: String, asker: String, runID: String, ordinals: ClosedRange<UInt64>) {
        self.nonce = nonce
        self.asker = asker
        self.runID = runID
        self.ordinals = ordinals
    }

    /// `repair:nonce:runID:from-to:asker`; the asker comes last, for an id may hold a colon.
    package var text: String {
        "\(Self.prefix)\(nonce):\(runID):\(ordinals.lowerBound)-\(ordinals.upperBound):\(asker)"
    }

    package init?(_ text: String) {
        guard text.hasPrefix(Self.prefix) else { return nil }
        let parts = text.dropFirst(Self.prefix.count).split(separator: ":", maxSplits: 3)
        guard parts.count == 4 else { return nil }
        let ends = parts[2].split(separator: "-").compactMap { UInt64($0) }
        guard ends.count == 2, ends[0] > 0, ends[0] <= ends[1] else { return nil }
        self.init(
            nonce: String(parts[0]), asker: String(parts[3]), runID: String(parts[1]), ordinals: ends[0]...ends[1])
    }
}
