import Lapse
import RESP
import RedisClient

/// Adds what is missing in `notify-keyspace-events`. The value is read again first: nothing that
/// another client has set meanwhile is taken away.
struct NotificationsRepair {
    let client: NodeClient
    /// Class `g` too, for `--punctual track`.
    let withHints: Bool

    private static let setting = "notify-keyspace-events"

    func apply() async -> DoctorRepair {
        var repair = DoctorRepair(
            node: client.address, command: Notifications.command("", withHints: withHints), isApplied: false, detail: ""
        )
        do throws(RedisError) {
            let before = try await read()
            repair.command = Notifications.command(before, withHints: withHints)
            guard !Notifications.suffice(before, withHints: withHints) else {
                repair.isApplied = true
                repair.detail = "it is \"\(before)\" by now"
                return repair
            }
            let merged = Notifications.merged(before, withHints: withHints)
            _ = try await client.send(RESPCommand("CONFIG", "SET", Self.setting, merged))
            let after = try await read()
            repair.isApplied = Notifications.suffice(after, withHints: withHints)
            repair.detail =
                repair.isApplied
                ? "was \"\(before)\", is \"\(after)\" until the server restarts: CONFIG REWRITE there keeps it"
                : "the server took it, but the value is \"\(after)\""
        } catch {
            repair.detail = error.text
        }
        return repair
    }

    private func read() async throws(RedisError) -> String {
        try await client.send(RESPCommand("CONFIG", "GET", Self.setting)).array?.last?.string ?? ""
    }
}
