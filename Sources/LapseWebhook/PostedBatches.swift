import Lapse

/// Batches that the receiver has not taken, so that each attempt is the same request once more. A pure
/// value.
///
/// What of a batch is tried again comes back alone, each at its own time. The first one whose turn it
/// is has the whole batch posted again; to the others what was answered to that attempt is told when
/// they come.
struct PostedBatches: Sendable {
    struct Request: Sendable, Equatable {
        var id: String
        var body: [UInt8]
    }

    enum Step: Sendable, Equatable {
        case post(Request)
        /// What this attempt has brought already; nil where the receiver has taken it.
        case answered(WebhookFailed?)
        /// No more batches can be remembered.
        case full
    }

    private struct Batch {
        var request: Request
        var open: Set<String>
        /// Attempts that were answered, and the last answer.
        var attempts = 0
        var failure: WebhookFailed?
        var touched: Duration

        var isTaken: Bool { attempts > 0 && failure == nil }

        /// The strings of an id stand in two places, with some bytes around each.
        var bytes: Int { request.body.count + open.count * 192 }
    }

    /// How long a batch is kept of which nothing comes back: what was given up elsewhere.
    static let patience = Duration.seconds(600)

    private let lastAttempt: Int
    private let limit: Int
    private var batches: [String: Batch] = [:]
    private var places: [String: String] = [:]
    private var token: UInt64 = 0
    private var bytes = 0

    /// - Parameters:
    ///   - retries: after the first attempt.
    ///   - limit: the most bytes of all batches, but for one.
    init(retries: Int, limit: Int = 64 << 20) {
        lastAttempt = retries + 1
        self.limit = limit
    }

    var count: Int { batches.count }

    /// What is to be done for the expirations with these ids.
    ///
    /// - Parameter body: of a batch that was not posted yet.
    mutating func step(
        _ ids: [String], attempt: Int, token: UInt64, now: Duration, body: () -> [UInt8]
    ) -> Step {
        if self.token != token {
            // Another term cuts its batches anew.
            self = PostedBatches(retries: lastAttempt - 1, limit: limit)
            self.token = token
        }
        if ids.count == 1, let place = places[ids[0]], var batch = batches[place] {
            batch.touched = now
            batches[place] = batch
            // What an earlier attempt brought answers none but the same one: a second expiration of a key comes
            // when the first one has had its attempts. What was taken is taken.
            guard batch.attempts == attempt || batch.isTaken else { return .post(batch.request) }
            tell([ids[0]], of: place, attempt: attempt)
            return .answered(batch.failure)
        }
        if bytes >= limit { forget(now: now) }
        guard bytes < limit else {
            // One alone needs no memory: it comes back alone, as the same request.
            return ids.count == 1 ? .post(Request(id: ids[0], body: body())) : .full
        }
        let request = Request(id: WebhookHandler.id(of: ids), body: body())
        drop(request.id)
        let batch = Batch(request: request, open: Set(ids), touched: now)
        bytes += batch.bytes
        batches[request.id] = batch
        for id in ids { places[id] = request.id }
        return .post(request)
    }

    /// An attempt has been answered, to these of the batch.
    mutating func ended(_ request: Request, _ ids: [String], attempt: Int, _ failure: WebhookFailed?) {
        guard batches[request.id] != nil else { return }
        batches[request.id]?.attempts = attempt
        batches[request.id]?.failure = failure
        if failure == nil, let batch = batches[request.id] {
            // It is not posted again.
            bytes -= batch.request.body.count
            batches[request.id]?.request.body = []
        }
        tell(ids, of: request.id, attempt: attempt)
    }

    /// Nothing comes back of those for which this was the last attempt.
    private mutating func tell(_ ids: [String], of place: String, attempt: Int) {
        guard var batch = batches[place] else { return }
        if let failure = batch.failure, failure.anotherAttempt != .pointless, attempt < lastAttempt { return }
        bytes -= batch.bytes
        for id in ids where batch.open.remove(id) != nil && places[id] == place { places[id] = nil }
        bytes += batch.bytes
        batches[place] = batch
        if batch.open.isEmpty { drop(place) }
    }

    /// This one does not come again.
    mutating func forget(_ id: String) {
        guard let place = places.removeValue(forKey: id), var batch = batches[place] else { return }
        bytes -= batch.bytes
        batch.open.remove(id)
        bytes += batch.bytes
        batches[place] = batch
        if batch.open.isEmpty { drop(place) }
    }

    private mutating func forget(now: Duration) {
        for place in batches.filter({ $0.value.touched + Self.patience <= now }).keys { drop(place) }
    }

    private mutating func drop(_ place: String) {
        guard let batch = batches.removeValue(forKey: place) else { return }
        bytes -= batch.bytes
        for id in batch.open where places[id] == place { places[id] = nil }
    }
}
