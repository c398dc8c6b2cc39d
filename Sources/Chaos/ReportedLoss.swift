/// The gaps that replicas logged, by node.
package struct ReportedLoss: Sendable, Equatable {
    private struct Stretch: Hashable {
        var node: Substring
        var from: Substring
        var to: Substring
    }

    /// How many expirations were said to be lost.
    package private(set) var lost = 0
    /// The same by node.
    package private(set) var byNode: [String: Int] = [:]
    /// Accounts that did not add up.
    package private(set) var imbalances = 0

    /// Reads logs in the text format.
    package init(_ logs: [String]) {
        var told: [Stretch: Int] = [:]
        for log in logs {
            for line in log.split(separator: "\n") {
                if line.contains(" account does not balance ") { imbalances += 1 }
                guard line.contains(" gap  ") else { continue }
                var facts: [Substring: Substring] = [:]
                for word in line.split(separator: " ") {
                    guard let equals = word.firstIndex(of: "=") else { continue }
                    facts[word[..<equals]] = word[word.index(after: equals)...]
                }
                guard let node = facts["node"], let from = facts["from"], let to = facts["to"],
                    let count = facts["lost"].flatMap({ Int($0) })
                else { continue }
                // A leader that dies before it has written how far it is leaves the same stretch to the next one to tell.
                told[Stretch(node: node, from: from, to: to)] = count
            }
        }
        for (stretch, count) in told {
            lost += count
            byNode[String(stretch.node), default: 0] += count
        }
    }
}
