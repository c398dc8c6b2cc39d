import Lapse
import RedisClient

/// The report for people: a table of the servers, what was mended, then the findings, worst first.
extension DoctorReport {
    /// - Parameters:
    ///   - width: the columns to fill; commands to paste are never broken.
    ///   - isColoured: whether the reader is a terminal.
    package func text(width: Int = 100, isColoured: Bool = false) -> String {
        let paragraph = Paragraph(width: max(width, 40))
        var lines = table
        for repair in repairs {
            lines.append("")
            lines.append("\(repair.isApplied ? "mended" : "not mended") \(repair.node): \(repair.command)")
            lines += paragraph.lines(repair.detail, indent: "    ")
        }
        for entry in grouped {
            lines.append("")
            let word = isColoured ? entry.finding.severity.coloured : entry.finding.severity.rawValue
            lines.append("\(word)  \(entry.finding.title)")
            if !entry.nodes.isEmpty {
                lines += paragraph.lines(entry.nodes.map(\.description).joined(separator: " "), indent: "    ")
            }
            lines += paragraph.lines(entry.finding.detail, indent: "    ")
            lines += entry.fixes.map { "    fix: \($0)" }
        }
        let fixes = findings.compactMap(\.fix)
        if fixes.contains(where: { $0.contains("redis-cli ") }) {
            lines.append("")
            let password =
                facts.login.passwordPath == nil
                ? "redis-cli takes the password from REDISCLI_AUTH. A user that may not run a command needs an administrator's "
                    + "name in --user."
                : "A user that may not run a command needs an administrator's name in --user, and that one's password in "
                    + "REDISCLI_AUTH."
            lines += paragraph.lines(
                password + (fixes.contains { $0.contains("CONFIG SET") } ? " \(Self.lasting)" : ""), indent: "")
        }
        lines.append("")
        lines += paragraph.lines(summary, indent: "")
        return lines.joined(separator: "\n") + "\n"
    }

    private static let lasting =
        "CONFIG SET lasts until the server restarts: CONFIG REWRITE on it, or redis.conf, keeps the change."

    private var table: [String] {
        var rows = [["NODE", "ROLE", "SLOTS", "NOTIFY", "LAG", "FINDINGS"]]
        for node in facts.nodes {
            let found = findings(at: node).count
            rows.append([
                "\(node.address)", node.isAnswering ? node.roleWord : "\(node.roleWord) (no answer)",
                node.slotCount == 0 ? "-" : "\(node.slotCount)", notify(node),
                PredictedLag.median(node).map(Wording.duration) ?? "-", found == 0 ? "-" : "\(found)",
            ])
        }
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let cells = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
            return cells.joined(separator: "  ").trimmingEnd
        }
    }

    private func notify(_ node: NodeFacts) -> String {
        guard node.isAnswering, !node.isLockServer else { return "-" }
        return node.notifications.map { $0.isEmpty ? "none" : $0 } ?? "unknown"
    }

    /// The same finding at several servers is told once.
    private var grouped: [(finding: DoctorFinding, nodes: [NodeAddress], fixes: [String])] {
        var groups: [(finding: DoctorFinding, nodes: [NodeAddress], fixes: [String])] = []
        for finding in findings {
            let same = groups.firstIndex {
                $0.finding.check == finding.check && $0.finding.title == finding.title
                    && $0.finding.detail == finding.detail
            }
            let index = same ?? groups.endIndex
            if same == nil { groups.append((finding, [], [])) }
            if let node = finding.node { groups[index].nodes.append(node) }
            if let fix = finding.fix, !groups[index].fixes.contains(fix) { groups[index].fixes.append(fix) }
        }
        return groups
    }

    private var summary: String {
        let counts = DoctorFinding.Severity.allCases.compactMap { severity -> String? in
            let count = findings.count { $0.severity == severity }
            guard count > 0 else { return nil }
            return switch severity {
            case .breaks: "\(count) breaking"
            case .warns: Wording.count(count, "warning", "warnings")
            case .notes: Wording.count(count, "note", "notes")
            }
        }
        let told = counts.isEmpty ? "nothing found" : counts.joined(separator: ", ")
        let lost = isHealthy ? "" : ": expirations are lost or no replica can lead until this is mended"
        return "\(Wording.count(facts.nodes.count, "server", "servers")), \(told)\(lost)"
    }
}

extension NodeFacts {
    /// The role as the table shows it.
    var roleWord: String { isLockServer ? "lock" : role.rawValue }
}

extension DoctorFinding.Severity {
    fileprivate var coloured: String {
        switch self {
        case .breaks: "\u{1B}[1;31m\(rawValue)\u{1B}[0m"
        case .warns: "\u{1B}[33m\(rawValue)\u{1B}[0m"
        case .notes: "\u{1B}[36m\(rawValue)\u{1B}[0m"
        }
    }
}

extension String {
    fileprivate var trimmingEnd: String {
        var text = self[...]
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
