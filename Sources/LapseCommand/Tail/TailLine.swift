import Console
import Lapse
import LapseHandlers
import Timing

/// One expiration as `lapse tail` prints it.
struct TailLine: Sendable {
    enum Format: Sendable { case text, json }

    let time: UTCTime
    let node: String
    let database: UInt16
    let key: [UInt8]

    func bytes(_ format: Format) -> [UInt8] {
        switch format {
        case .text:
            let text = "\(time.text) \(node) \(database) \(Printable.text(String(decoding: key, as: UTF8.self)))\n"
            return Array(text.utf8)
        case .json:
            var line = JSONLine(capacity: 160)
            line.add("key", otherwise: "keyBase64", key)
            line.add("database", database)
            line.add("node", node)
            line.add("receivedAt", time)
            line.add("formatVersion", JSONLine.formatVersion)
            return line.finish()
        }
    }
}
