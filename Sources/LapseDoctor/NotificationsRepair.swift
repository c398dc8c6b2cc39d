import Lapse
import RESP
import RedisClient

/// Adds what is missing in `notify-keyspace-events`. The value is read again first: nothing that
/// another client has set meanwhile is taken away.
struct NotificationsRepair {
    let client: NodeClient

    private static let setting = "notify-keyspace-events"

    func apply() async -> DoctorRepair {
        var repair = DoctorRepair(
            node: client.address, command: Notifications.command(""), isApplied: false, detail: "")
        do throws(RedisError) {
            let before = try await read()
            repair.command = Notifications.command(before)
            guard !Notifications.suffice(before) else {
                repair.isApplied = true
                repair.detail = "it is \"\(before)\" by now"
                return repair
            }
            _ = try await client.send(RESPCommand("CONFIG", "SET", Self.setting, Notifications.merged(before)))
            let after = try await read()
            repair.isApplied = Notifications.suffice(after)
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
