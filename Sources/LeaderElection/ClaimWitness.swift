/// Another process, which can release a claim when this one has died.
///
/// Its functions are called on the elector's loop, in the order of what they tell; they must not wait.
package protocol ClaimWitness: Sendable {
    /// A claim is made: returns before the first register is asked for its vote, so no register ever holds
    /// a value that the witness was not told. It takes the place of the claim before, which may still be on
    /// its way: releasing it does no harm.
    func claims(_ claim: Claim)
    /// The claim has won: a body is about to run.
    func leads(_ claim: Claim)
    /// The last claim was given back to a majority, or the elector has ended in order.
    func released()
}
