import RESP

/// Whether the expirations of one node are to be handled: what the filter wants, and what the node may
/// announce.
struct EntryVerdicts {
    let filter: KeyFilter
    let ownership: SlotOwnership.OfNode
    /// Where slots do not matter, entries of the same provenance share their verdict.
    private var last: (provenance: ExpirationLog.Provenance, verdict: SlotOwnership.Verdict)?

    init(filter: KeyFilter, ownership: SlotOwnership.OfNode) {
        self.filter = filter
        self.ownership = ownership
    }

    mutating func verdict(_ entry: ExpirationLog.Entry, _ key: RawSpan) -> SlotOwnership.Verdict {
        guard filter.wants(key, database: entry.database) else { return .ignored }
        guard !ownership.needsSlot else { return ownership.verdict(slot: HashSlot.of(key), entry.provenance) }
        if let last, last.provenance == entry.provenance { return last.verdict }
        let verdict = ownership.verdict(slot: 0, entry.provenance)
        last = (entry.provenance, verdict)
        return verdict
    }
}
