import Synchronization

/// The last few things that happened, for an onlooker: cut, bounded, and of the expirations only
/// samples.
package final class RecentEvents: Sendable {
    /// One of them. Its texts come from anywhere.
    package struct Event: Sendable, Encodable {
        /// Milliseconds since 1970.
        package var at: UInt64
        package var subject: String
        package var node: String?
        package var detail: String
    }

    /// What is shown together.
    package enum Kind: String, Sendable, CaseIterable { case handled, failed, gap, leadership }

    let keys: KeyDisclosure

    init(keys: KeyDisclosure = .full) { self.keys = keys }

    /// How many of each kind are kept.
    private static let limit = 8
    /// The most of one text, in bytes.
    private static let textLimit = 160
    private let events = Mutex<[Kind: [Event]]>([:])
    /// How many expirations may still be noted before the next look.
    private let wanted = Atomic(0)

    /// An onlooker is there: the next few expirations are to be noted.
    package func wantSamples(_ count: Int) { wanted.store(count, ordering: .relaxed) }

    /// Once for each expiration: one comparison, mostly.
    var wantsSample: Bool { wanted.load(ordering: .relaxed) > 0 }

    func sample(_ expiration: Expiration, delay milliseconds: UInt64, now: UInt64) {
        guard wanted.subtract(1, ordering: .relaxed).newValue >= 0 else { return }
        note(
            .handled, keys.text(expiration.key), node: expiration.node,
            "\(expiration.origin.rawValue), \(milliseconds) ms after it was heard", now: now)
    }

    func note(_ kind: Kind, _ subject: String, node: String? = nil, _ detail: String, now: UInt64) {
        let event = Event(
            at: now, subject: subject.cut(toBytes: Self.textLimit), node: node?.cut(toBytes: Self.textLimit),
            detail: detail.cut(toBytes: Self.textLimit))
        events.withLock { events in
            events[kind, default: []].insert(event, at: 0)
            if events[kind, default: []].count > Self.limit { events[kind]?.removeLast() }
        }
    }

    /// The newest first.
    package var latest: [Kind: [Event]] { events.withLock { $0 } }
}
