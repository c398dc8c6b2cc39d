/// What a leader tells its followers on the control channel while the registers refuse to write: how
/// far it is.
///
/// Then a crash repeats at most a second of work while one follower lives. Followers remember it and
/// forget nothing by it, and repeat it for one that begins after the crash: see ``ProgressRelay``.
package struct SharedProgress: Sendable, Equatable {
    /// The version is part of the prefix: another build's message is another message.
    package static let prefix = "progress:v1:"
    /// The longest message that is sent or looked at, in bytes.
    package static let limitBytes = 64 << 10
    /// How many messages make one telling at most.
    private static let limitParts = 8

    /// The replica that leads.
    package var leader: String
    package var token: UInt64
    package var entries: [Progress]

    package init(leader: String, token: UInt64, entries: [Progress]) {
        self.leader = leader
        self.token = token
        self.entries = entries
    }

    /// `progress:v1:token:leader`, then a line for each log: run ID and the text of its progress.
    package var text: String {
        (["\(Self.prefix)\(token):\(leader)"] + entries.map(Self.line)).joined(separator: "\n")
    }

    private static func line(_ entry: Progress) -> String { "\(entry.runID) \(entry.text)" }

    /// Nil for a text that no leader wrote.
    package init?(_ text: String) {
        guard text.hasPrefix(Self.prefix), text.utf8.count <= Self.limitBytes else { return nil }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let words = lines[0].dropFirst(Self.prefix.count).split(separator: ":", maxSplits: 1)
        guard words.count == 2, let token = UInt64(words[0]), token <= 1 << 53 else { return nil }
        var entries: [Progress] = []
        for line in lines.dropFirst() {
            guard let space = line.firstIndex(of: " "),
                let entry = Progress(field: "log:\(line[..<space])", text: String(line[line.index(after: space)...])),
                entry.token == token
            else { return nil }
            entries.append(entry)
        }
        self.init(leader: String(words[1]), token: token, entries: entries)
    }

    /// The messages of one telling, each within its limit. What does not fit into all of them waits for a
    /// later one.
    ///
    /// - Parameter turn: counts the tellings, so that it is not always the same that waits.
    package static func messages(leader: String, token: UInt64, _ progress: [Progress], turn: Int) -> [SharedProgress] {
        guard !progress.isEmpty else { return [] }
        let begin = turn % progress.count
        var messages: [SharedProgress] = []
        var size = limitBytes
        for entry in progress[begin...] + progress[..<begin] {
            let length = line(entry).utf8.count + 1
            guard length < limitBytes - 1024 else { continue }
            if size + length > limitBytes - 1024 {
                guard messages.count < limitParts else { break }
                messages.append(SharedProgress(leader: leader, token: token, entries: []))
                size = 0
            }
            messages[messages.count - 1].entries.append(entry)
            size += length
        }
        return messages
    }
}
