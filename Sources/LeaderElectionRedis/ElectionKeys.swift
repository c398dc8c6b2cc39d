import RESP

/// The keys of one register, all in one slot, and the channel of the election.
package struct ElectionKeys: Sendable, Hashable {
    package let tag: String
    package let name: String

    package init(tag: String, name: String) {
        self.tag = tag
        self.name = name
    }

    package var lock: String { key("lock") }
    package var token: String { key("token") }
    package var progress: String { key("progress") }
    package var members: String { key("members") }
    /// The rules of every living replica.
    package var rules: String { key("rules") }
    /// The ID of the deployment.
    package var deployment: String { key("deployment") }

    /// The list in which peers answer a request.
    package func repair(_ nonce: String) -> String { key("repair:\(nonce)") }

    private func key(_ what: String) -> String { "{\(tag)}:\(name):\(what)" }

    /// Where releases and marks are announced.
    package static func channel(_ name: String) -> String { "lapse:\(name)" }

    /// The keys of all registers of an election.
    package static func registers(_ count: Int, name: String) -> [ElectionKeys] {
        LockTags.tags(count).map { ElectionKeys(tag: $0, name: name) }
    }

    /// Where the replicas of a group agree on their rules: the same keys whatever their rules are, so that
    /// a replica with another number of registers, or another store, meets the others here.
    package static func rules(inCluster: Bool, name: String) -> [ElectionKeys] {
        registers(inCluster ? 3 : 1, name: name)
    }
}

/// The hash tags of the lock keys, fixed by the number of registers alone: every replica must ask the
/// same keys.
///
/// Tag i is the first of `lapse-0`, `lapse-1`, … whose slot is the middle of the i-th of N equal slot
/// ranges: on different masters in an evenly cut cluster of N masters, or a multiple of it. The tag in
/// the middle is the same for every odd N.
package enum LockTags {
    package static func tags(_ count: Int) -> [String] {
        let middles = (0..<count).map { UInt16((2 * $0 + 1) * 16384 / (2 * count)) }
        var found: [UInt16: String] = [:]
        var number = 0
        while found.count < count {
            let tag = "lapse-\(number)"
            let slot = HashSlot.of(tag)
            if middles.contains(slot), found[slot] == nil { found[slot] = tag }
            number += 1
        }
        return middles.compactMap { found[$0] }
    }
}
