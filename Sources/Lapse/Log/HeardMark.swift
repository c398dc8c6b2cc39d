import RESP

/// A mark as it comes over the feed: `mark:v1:RUN_ID:COUNTER:NONCE`, the count of that process at this
/// place of its stream. A bus brings those of other nodes as well.
///
/// All replicas hear it, so all of them find at the same place what the process counted and did not
/// announce. What one of them finds a little later lies behind other expirations, and these have other
/// numbers there: the successor of a leader passed over some of them.
package struct HeardMark: Sendable, Equatable {
    package var runID: String
    /// Nil where the server refuses scripts: only the one that took the mark knows it.
    package var counter: UInt64?
    package var nonce: String

    package static let prefix = "mark:v1:"
    private static let start = Array(prefix.utf8)
    /// Longer than any of them.
    private static let limitBytes = 256

    package init?(_ payload: RawSpan) {
        guard payload.starts(with: Self.start), payload.byteCount <= Self.limitBytes else { return nil }
        let words = payload.text.dropFirst(Self.prefix.count).split(
            separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        guard words.count == 3 else { return nil }
        runID = String(words[0])
        counter = PlausibleCount.read(words[1])
        nonce = String(words[2])
    }

    package init(runID: String, counter: UInt64?, nonce: String) {
        self.runID = runID
        self.counter = counter
        self.nonce = nonce
    }

    package var text: String { "\(Self.prefix)\(runID):\(counter.map(String.init) ?? ""):\(nonce)" }
}
