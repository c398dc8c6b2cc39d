/// The owners of the slots, to be compared with those of another view.
package struct SlotOwners: RandomAccessCollection, Sendable {
    let owners: [UInt16]
    let sole: Int?
    static let none = UInt16.max

    package var startIndex: Int { 0 }
    package var endIndex: Int { owners.isEmpty ? 1 : owners.count }

    /// The index of a slot's owner among the nodes. Where one master owns everything there is one slot.
    package subscript(slot: Int) -> Int? {
        guard !owners.isEmpty else { return sole }
        return owners[slot] == Self.none ? nil : Int(owners[slot])
    }
}
