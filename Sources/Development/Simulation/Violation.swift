/// What must hold at every step, as FAULTS numbers it.
///
/// | | how it is checked |
/// |---|---|
/// | I1 | no two replicas may call handlers at the same true time; no term begins while the lease of another, or a handler of it that heeds its cancellation, is alive |
/// | I2 | each token is larger than all before it |
/// | I3 | a resource that checks tokens: no effect of a term is accepted after one of a later term |
/// | I4 | no release is sent while a handler of its term runs, nor after its lease has lapsed over a running handler |
/// | I5 | no register extends or deletes a value on behalf of another |
/// | I6 | after the faults a leader exists within the lease and two retries |
/// | I7 | no term without a token that a majority confirmed |
/// | I8 | what was announced while a replica that lives on was listening is handled; lost is only what no peer in reach had |
/// | I9 | passed = handled + pending + lost + ignored for every log at every step, and nothing handled is called lost |
/// | I10 | one handler for one key at a time, in the order of the announcements |
/// | I11 | no key of Lapse's own reaches a handler |
/// | position | an expiration is handled under the number that its node gave it |
/// | repeat | what a frozen master announces again, after its replica took over, is not handled again |
/// | I12 | what a replica takes with it when it ends, another one has, or it is finished; what the progress calls pending no age drops |
/// | I13 | what a cursor has passed was handled, called lost, or a deposed master's repetition: nothing is passed over for lack of a look |
/// | foreign | no key of another deployment reaches a handler |
/// | lock | an own lock that ran out unheard is no loss, and excuses no other |
/// | late | one key that expires all the time does not hold up the others |
/// | twice | a handler is called again only for what was finished shortly before its term ended |
/// | turn | a batch is of one log, in its order, and one of a node is on its way at a time |
/// | poison | a key that kills its leaders is a dead letter after three deaths, no other one is, and the group comes to rest |
/// | tries | what a later try of a claim has won, the answer to an earlier one does not take away |
/// | said | a feed that brings expirations and no mark, so that none of them is handled, is told of within nine seconds |
/// | companion | a companion whose timer is gone is handled, announced or not |
///
/// Not simulated: processor time (a handler that blocks all threads), bytes on the wire, the bounds of
/// the logs in bytes, and whatever a server does inside one command. Those rows of FAULTS are tests
/// against real processes.
package enum Invariant: String, Sendable, CaseIterable {
    case i1 = "I1"
    case i2 = "I2"
    case i3 = "I3"
    case i4 = "I4"
    case i5 = "I5"
    case i6 = "I6"
    case i7 = "I7"
    case i8 = "I8"
    case i9 = "I9"
    case i10 = "I10"
    case i11 = "I11"
    case i12 = "I12"
    case i13 = "I13"
    case i14 = "I14"
    case position, `repeat`, companion, foreign, lock, late, twice, turn, poison, tries, said
}

package struct Violation: Sendable, Equatable, CustomStringConvertible {
    package let invariant: Invariant
    package let at: Duration
    package let text: String

    package var description: String { "\(invariant.rawValue) at \(at): \(text)" }
}
