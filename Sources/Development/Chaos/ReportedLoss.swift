/// The gaps that replicas logged.
package struct ReportedLoss: Sendable, Equatable {
    /// One stretch of what a process announced, of which some is lost.
    struct Stretch: Hashable {
        var node: String
        var runID: String
        var ordinals: ClosedRange<UInt64>
    }

    /// How many expirations of each stretch were said to be lost.
    private(set) var stretches: [Stretch: Int] = [:]
    /// Accounts that did not add up.
    package private(set) var imbalances = 0

    /// How many expirations were said to be lost; those of a stretch that is lost as a whole count once,
    /// however often it was told.
    package var lost: Int {
        let whole = stretches.filter { $0.value == $0.key.ordinals.count }.keys
        let ordinals = Dictionary(grouping: whole, by: \.runID).values.map { stretches in
            Set(stretches.flatMap(\.ordinals)).count
        }
        return ordinals.reduce(0, +) + stretches.reduce(0) { $0 + ($1.value == $1.key.ordinals.count ? 0 : $1.value) }
    }

    /// Reads logs in the text format.
    package init(_ logs: [String]) {
        for log in logs {
            for line in log.split(separator: "\n") {
                if line.contains(" account does not balance ") { imbalances += 1 }
                guard line.contains(" gap  ") else { continue }
                var facts: [Substring: Substring] = [:]
                for word in line.split(separator: " ") {
                    guard let equals = word.firstIndex(of: "=") else { continue }
                    facts[word[..<equals]] = word[word.index(after: equals)...]
                }
                guard let node = facts["node"], let from = facts["from"].flatMap({ UInt64($0) }),
                    let to = facts["to"].flatMap({ UInt64($0) }), from <= to,
                    let count = facts["lost"].flatMap({ Int($0) }), count > 0
                else { continue }
                // A leader that dies before it has written how far it is leaves the same stretch to the next one to
                // tell.
                let runID = (facts["runId"] ?? facts["run-id"]).map(String.init) ?? String(node)
                stretches[Stretch(node: String(node), runID: runID, ordinals: from...to)] = count
            }
        }
    }
}
