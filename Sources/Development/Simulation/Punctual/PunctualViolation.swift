/// What must hold at every step where servers are made punctual.
///
/// | | how it is checked |
/// |---|---|
/// | late | a wanted key whose deadline has passed, by the clock of the server that owns it, is announced within a second while that server can be reached |
/// | early | a key that is not due is nudged a few times for each change, step of a clock and change of owner, and no more |
/// | often | the servers are asked about one key a bounded number of times in a second |
/// | kept | what is gone is forgotten: in the end a table holds deadlines ahead and nothing else |
/// | room | in the end no table takes more than its bound |
///
/// The servers expire nothing by themselves, but in the runs that say so: what is announced was nudged,
/// met by a sweep, or touched by a writer.
package struct PunctualViolation: Sendable, Equatable, CustomStringConvertible {
    package enum Promise: String, Sendable, CaseIterable { case late, early, often, kept, room }

    package let promise: Promise
    package let at: Duration
    package let text: String

    package var description: String { "\(promise.rawValue) at \(at): \(text)" }
}
