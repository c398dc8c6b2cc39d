import Console
import Lapse
import LapseHandlers
import RESP
import RedisClient
import Timing

/// An entry of the stream, with its ID.
struct FoundLetter: Sendable {
    let id: StreamID
    let record: Result<DeadLetterRecord, DeadLetterRecord.Unreadable>

    /// Nil for what is no entry of a stream.
    init?(_ entry: RESPValue) {
        guard let parts = entry.array, parts.count == 2, let id = parts[0].string.flatMap({ StreamID($0) }) else {
            return nil
        }
        self.id = id
        let fields = parts[1].array ?? []
        record = Result { () throws(DeadLetterRecord.Unreadable) in try DeadLetterRecord(fields: fields) }
    }

    private func seconds(until now: UInt64) -> UInt64 { (now - min(now, id.milliseconds)) / 1000 }

    private var time: UTCTime { UTCTime(milliseconds: Int64(clamping: id.milliseconds)) }

    func add(to table: inout TextTable, now: UInt64) {
        let since = Self.age(seconds(until: now))
        switch record {
        case .success(let letter):
            let key = Printable.text(String(decoding: letter.key.prefix(120), as: UTF8.self))
            let error = Printable.text(String(letter.error.prefix(120)))
            table.add("\(id)", since, "\(letter.attempts)", "\(letter.database)", key, error)
        case .failure(let reason): table.add("\(id)", since, "", "", "", "no dead letter of Lapse: \(reason)")
        }
    }

    /// A line for each field.
    func text(now: UInt64) -> String {
        var rows = [("id", "\(id)"), ("at", "\(time.text) (\(Self.age(seconds(until: now))) ago)")]
        switch record {
        case .success(let letter):
            rows += [
                ("key", String(decoding: letter.key, as: UTF8.self)), ("database", "\(letter.database)"),
                ("node", letter.node), ("position", "\(letter.runID):\(letter.ordinal)"), ("origin", letter.origin),
                ("attempts", "\(letter.attempts)"), ("error", letter.error), ("term", "\(letter.term)"),
                ("token", "\(letter.token)"),
            ]
            if let deadline = letter.deadline {
                rows += [
                    ("deadline", UTCTime(milliseconds: Int64(clamping: deadline.milliseconds)).text),
                    ("lagMs", "\(deadline.lagMilliseconds)"),
                ]
            }
            if let value = letter.value { rows.append(("value", String(decoding: value, as: UTF8.self))) }
            if let source = letter.source {
                rows += [("stream", source.stream), ("group", source.group), ("entry", source.entry)]
            }
        case .failure(let reason): rows.append(("unreadable", "\(reason)"))
        }
        return rows.map { "\($0.0)\(String(repeating: " ", count: 11 - $0.0.count))\(Printable.text($0.1))" }
            .joined(separator: "\n")
    }

    /// One line.
    func json(now: UInt64) -> [UInt8] {
        var line = JSONLine(capacity: 480)
        line.add("id", "\(id)")
        line.add("at", time)
        line.add("ageSeconds", seconds(until: now))
        switch record {
        case .success(let letter):
            line.add("key", otherwise: "keyBase64", letter.key)
            line.add("database", letter.database)
            line.add("node", letter.node)
            line.add("runId", letter.runID)
            line.add("ordinal", letter.ordinal)
            line.add("origin", letter.origin)
            line.add("attempts", letter.attempts)
            line.add("error", letter.error)
            line.add("term", letter.term)
            line.add("token", letter.token)
            line.add(letter.deadline)
            if let value = letter.value { line.add("value", otherwise: "valueBase64", value) }
            if let source = letter.source {
                line.add("stream", source.stream)
                line.add("group", source.group)
                line.add("entry", source.entry)
            }
        case .failure(let reason): line.add("unreadable", "\(reason)")
        }
        line.add("formatVersion", DeadLetterRecord.formatVersion)
        return line.finish()
    }

    private static func age(_ seconds: UInt64) -> String {
        switch seconds {
        case ..<120: "\(seconds)s"
        case ..<7200: "\(seconds / 60)m"
        case ..<172_800: "\(seconds / 3600)h"
        default: "\(seconds / 86_400)d"
        }
    }
}
