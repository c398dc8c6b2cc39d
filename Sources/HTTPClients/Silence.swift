/// How long a server has not answered a request, and whether that is its fault.
///
/// With a short lease an elector cancels a request before the time of the request itself is over. A
/// server that is frozen accepts connections all the same, so nothing else tells that it is to be left.
package struct Silence: Sendable {
    /// The shortest time after which an elector counts on no answer any more.
    private static let patience = Duration.milliseconds(50)

    private let begin: ContinuousClock.Instant
    private let isWanted: Bool

    /// A request is sent. `isWanted`: its answer comes when something happens, as that of a watch.
    package init(since begin: ContinuousClock.Instant, isWanted: Bool) {
        self.begin = begin
        self.isWanted = isWanted
    }

    /// Whether another server may do better, when the request was cancelled and nothing had come.
    package func blamesServer(at now: ContinuousClock.Instant) -> Bool {
        !isWanted && begin.duration(to: now) >= Self.patience
    }
}
