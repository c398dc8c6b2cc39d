/// What a batch handler gets at once: expirations of one node, in its order.
package struct NodeBatch: Sendable {
    package static let limit = 256

    package let deliveries: DeliveryList
    /// Whose turn it is, see ``NodeTurns``.
    let turn: Int

    /// What a call of the handler leaves behind.
    struct Done {
        let batch: NodeBatch
        /// Of these it succeeded; what became of the others has been said.
        let handled: [Range<Int>]
    }
}
