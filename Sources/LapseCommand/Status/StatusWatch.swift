import Console
import FoundationEssentials
import Lapse
import Timing

/// `lapse status --watch`: the state, again each second.
struct StatusWatch: Sendable {
    let look: GroupLook
    let asJSON: Bool

    /// Until interrupted. What cannot be read is shown in its place, and looked at again.
    ///
    /// - Throws: when the first look fails for good, and when stdout is read no more.
    func run() async throws {
        let bell = Doorbell(on: look.access.loop)
        var last: GroupReport?
        repeat {
            switch await found() {
            case .success(let report):
                try await print(report, after: last)
                last = report
            case .failure(let error):
                guard let last, error.code == .unreachable || error.code == .internal else { throw error }
                if asJSON { try await printJSON(last.unread(because: error)) } else { try await print(["\(error)"]) }
            }
        } while await bell.wait(upTo: .seconds(1)) != .cancelled
    }

    /// A value: thrown in the loop above, the optimizer of Swift 6.3.1 crashes over it.
    private func found() async -> Result<GroupReport, Failure> {
        do throws(Failure) { return .success(try await look.observer.look()) } catch { return .failure(error) }
    }

    private func print(_ report: GroupReport, after last: GroupReport?) async throws(Failure) {
        if asJSON { return try await printJSON(report) }
        try await print(report.rates(since: last) + report.lines(fitting: Terminal.width))
    }

    /// A line: nothing else is on stdout then.
    private func printJSON(_ report: GroupReport) async throws(Failure) {
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            try await StandardStream.print(String(decoding: try encoder.encode(report), as: UTF8.self))
        } catch { throw Failure(error) }
    }

    /// In place on a terminal, one below the other elsewhere.
    private func print(_ lines: [String]) async throws(Failure) {
        do {
            guard let width = Terminal.width else {
                return try await StandardStream.print((lines + [""]).joined(separator: "\n"))
            }
            let home = "\u{1b}[H"
            let (endOfLine, endOfScreen) = ("\u{1b}[K", "\u{1b}[J")
            let shown = lines.map { $0.prefix(width) + endOfLine }.joined(separator: "\n")
            try await StandardStream.print(home + shown + "\n" + endOfScreen)
        } catch { throw Failure(error) }
    }
}

extension GroupReport {
    /// The same group, of which nothing can be read now.
    func unread(because error: Failure) -> GroupReport {
        let reason = error.description
        return GroupReport(
            name: name, topology: topology, state: .unknown, term: 0, token: 0,
            registers: registers.map { .init(key: $0.key, node: $0.node, error: reason) },
            unreadRegisters: registers.count, replicas: [],
            nodes: nodes.map { .init(address: $0.address, role: $0.role, error: reason) })
    }

    /// What moved since the look before, which was about a second ago.
    func rates(since last: GroupReport?) -> [String] {
        guard let last else { return [] }
        let before = Dictionary(last.nodes.map { ($0.runID ?? $0.address, $0) }) { first, _ in first }
        var (expired, handled, backlog) = (UInt64(0), UInt64(0), UInt64(0))
        for node in nodes {
            backlog += node.backlog ?? 0
            guard let old = before[node.runID ?? node.address] else { continue }
            // A counter that was reset, and a new term's account, begin again.
            expired += Self.growth(old.expired, node.expired)
            handled += Self.growth(old.account?.handled, node.account?.handled)
        }
        return ["last look \(expired) expired, \(handled) handled, \(backlog) to do"]
    }

    private static func growth(_ old: UInt64?, _ new: UInt64?) -> UInt64 {
        guard let old, let new, new > old else { return 0 }
        return new - old
    }
}
