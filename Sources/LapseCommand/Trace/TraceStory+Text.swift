import Console
import FoundationEssentials
import Lapse

/// As a person reads it: one line an event, in their order.
extension TraceStory {
    var lines: [String] {
        var lines = [String(validating: key, as: UTF8.self).map(Printable.text) ?? "key (base64) \(base64)"]
        for occurrence in occurrences { lines += [""] + Self.lines(of: occurrence) }
        if occurrences.isEmpty { lines += ["", "no replica can tell of it"] }
        if !losses.isEmpty { lines += ["", "lost:"] }
        for loss in losses {
            let ordinals = loss.first == loss.last ? "\(loss.first)" : "\(loss.first) to \(loss.last)"
            let place = "\(Printable.text(loss.node)), number \(ordinals)"
            lines.append("  \(loss.at)  \(loss.lost) of \(place): \(Printable.text(loss.cause))")
        }
        lines.append("")
        for witness in witnesses {
            let since = witness.since.map { "tells of what it heard since \($0)" } ?? "has nothing to tell"
            let cut = witness.isCut ? "; its answer was too long and is cut" : ""
            lines.append("\(Printable.text(witness.replica)) (\(Printable.text(witness.version))) \(since)\(cut)")
        }
        if !silent.isEmpty {
            lines.append("not answered: \(silent.map(Printable.text).joined(separator: ", "))")
        }
        return lines
    }

    private static func lines(of occurrence: Occurrence) -> [String] {
        let place = "number \(occurrence.ordinal), database \(occurrence.database)"
        var lines = [
            "announced by \(Printable.text(occurrence.node)) as \(place) (run ID \(Printable.text(occurrence.runID)))"
        ]
        for heard in occurrence.heard {
            let how = heard.repaired ? "told by a peer" : "heard"
            lines.append("  \(heard.at)  \(Printable.text(heard.replica)): \(how)")
        }
        for event in occurrence.events {
            var line = "  \(event.at)  \(Printable.text(event.replica))"
            if let term = event.term { line += ", term \(term)" }
            line += ": \(Printable.text(event.what))"
            if let attempt = event.attempt { line += ", attempt \(attempt)" }
            if let error = event.error { line += ": \(Printable.text(error))" }
            if let teller = event.toldBy { line += " (found by \(Printable.text(teller)))" }
            lines.append(line)
        }
        switch occurrence.standing {
        case "finished"?: lines.append("  finished, says the leader's progress")
        case "begun"?: lines.append("  begun and not finished, says the leader's progress")
        case "waiting"?: lines.append("  waits for its turn, says the leader's progress")
        default: lines.append("  no leader has told of it yet")
        }
        return lines
    }

    var base64: String { Data(key).base64EncodedString() }
}

extension TraceStory: Encodable {
    private enum CodingKeys: String, CodingKey {
        case formatVersion, key, keyBase64, occurrences, losses, witnesses, silent
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(1, forKey: .formatVersion)
        if let text = String(validating: key, as: UTF8.self) {
            try container.encode(text, forKey: .key)
        } else {
            try container.encode(base64, forKey: .keyBase64)
        }
        try container.encode(occurrences, forKey: .occurrences)
        try container.encode(losses, forKey: .losses)
        try container.encode(witnesses, forKey: .witnesses)
        try container.encode(silent, forKey: .silent)
    }
}
