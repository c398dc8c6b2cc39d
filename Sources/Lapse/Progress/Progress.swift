import RESP

/// The leader's cursor in one log, as published beside the lock.
package struct Progress: Sendable, Equatable {
    package var runID: String
    package var node: String
    /// What the leader adds to the node's counter (see ``Numbering``).
    package var base: Int64
    package var cursor: Cursor
    /// The token of the term that wrote it, and the number of the write in that term: of two, the larger
    /// pair counts.
    package var token: UInt64
    package var write: UInt64
    /// Counts the stores that the tokens came from: see ``ProgressOrigin``. Kept once for all logs of a
    /// register.
    package var epoch: UInt64 = 0
    /// What became of what the cursor has passed in that term: for onlookers, not for the next leader.
    package var account: NodeAccount?

    package init(
        runID: String, node: String, base: Int64, cursor: Cursor, token: UInt64, write: UInt64,
        account: NodeAccount? = nil
    ) {
        self.runID = runID
        self.node = node
        self.base = base
        self.cursor = cursor
        self.token = token
        self.write = write
        self.account = account
    }

    /// The field's name in the progress hash.
    package var field: String { "log:\(runID)" }

    /// `token write through base node pending`, pending as `3,7-9` or `-`: the first format, which every
    /// build reads. A later one begins with `v` and its number, so that no build takes it for this one.
    package var text: String {
        "\(token) \(write) \(cursor.through) \(base) \(node) \(Self.ranges(cursor.pending))"
    }

    package init?(field: String, text: String) {
        guard field.hasPrefix("log:") else { return nil }
        let parts = text.split(separator: " ")
        // A base never falls below 0, and nothing is pending that was not taken up.
        guard parts.count == 6, let token = PlausibleCount.read(parts[0]), let write = PlausibleCount.read(parts[1]),
            let through = Numbering.told(parts[2]), let base = Numbering.told(parts[3]),
            parts[4].utf8.count <= 512, let pending = Self.set(parts[5], through: through),
            (5...132).contains(field.utf8.count)
        else { return nil }
        self.init(
            runID: String(field.dropFirst(4)), node: String(parts[4]), base: Int64(base),
            cursor: Cursor(through: through, pending: pending), token: token, write: write)
    }

    /// Nothing has moved; the base counts too: a replica that subscribes later numbers by it.
    func saysTheSame(as other: Progress) -> Bool { (cursor, base) == (other.cursor, other.base) }

    package func isNewer(than other: Progress) -> Bool {
        (epoch, token, write) > (other.epoch, other.token, other.write)
    }

    /// Of several registers' progress the newest for each log.
    package static func newest(_ all: [[String: Progress]]) -> [String: Progress] {
        all.reduce(into: [:]) { newest, register in
            newest.merge(register) { $1.isNewer(than: $0) ? $1 : $0 }
        }
    }

    private static func ranges(_ ordinals: PendingOrdinals) -> String {
        guard !ordinals.isEmpty else { return "-" }
        var ranges: [ClosedRange<UInt64>] = []
        for ordinal in ordinals.sorted {
            if let last = ranges.last, last.upperBound + 1 == ordinal {
                ranges[ranges.count - 1] = last.lowerBound...ordinal
            } else {
                ranges.append(ordinal...ordinal)
            }
        }
        return ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
            .joined(separator: ",")
    }

    /// Ranges from 1 through `through`, in order: the list is as long as lanes can make it, whatever it
    /// says.
    private static func set(_ text: Substring, through: UInt64) -> PendingOrdinals? {
        guard text != "-" else { return [] }
        var ordinals = PendingOrdinals()
        var last: UInt64 = 0
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { PlausibleCount.read($0) ?? 0 }
            guard ends.count <= 2, let low = ends.first, let high = ends.last, low > last, low <= high,
                high <= through, high - low < pendingLimit, ordinals.count < pendingLimit
            else { return nil }
            ordinals.insert(low...high)
            last = high
        }
        return ordinals
    }

    private static let pendingLimit = 1 << 20
}
