@testable import Lapse

extension WorkMachine.Event {
    /// One is handled, and no other with it.
    static func handled(_ entry: WorkEntry) -> Self { .handledAll([entry]) }
}
