import Lapse
import NIOCore
import RESP
import RedisClient

/// A node that is listened to: its messages, and the log that they fill.
struct HeardNode: ~Copyable {
    static let address = NodeAddress(host: "10.0.0.1", port: 6379)
    /// It is the only master.
    static let poll = TopologyPoll(
        topology: Topology(mode: .standalone, nodes: [Topology.Node(id: "m", address: address, role: .master)]),
        ownWord: [address: .master], number: 1)

    let logs: LogSet
    let log: NodeLog
    private var reader = ReplyReader()

    init() {
        logs = LogSet(limitBytes: 64 << 20, limitAge: .seconds(60))
        log = logs.log(of: "run", at: Self.address)
        log.subscriptionBegan()
        hear(Self.bytes([("lapse:default", "nonce")]))
        _ = log.resolve(counter: 0)
    }

    /// One read's worth.
    mutating func hear(_ bytes: ByteBuffer) {
        let log = log
        do {
            try reader.read(bytes) { batch in
                _ = log.take(batch, now: 1_000, look: 0) { _ in log.pinMark() }
            }
        } catch { fatalError("\(error)") }
    }

    /// So many expirations of keys of 20 bytes, as Redis announces them.
    static func expirations(_ count: Int) -> ByteBuffer {
        bytes(
            (0..<count).map { number in
                let digits = String(number)
                return (
                    "__keyevent@0__:expired", "session:" + String(repeating: "0", count: 12 - digits.count) + digits
                )
            })
    }

    private static func bytes(_ messages: [(channel: String, payload: String)]) -> ByteBuffer {
        var bytes = ByteBuffer()
        for (channel, payload) in messages { RESPCommand("message", channel, payload).encode(into: &bytes) }
        return bytes
    }
}
