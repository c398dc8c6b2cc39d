import Foundation
import Synchronization
import ThrowawayRedis

/// Keys that expire one after the other, each announced at once since it is asked for when its time is
/// over.
final class KeyFeeder: Sendable {
    struct Account {
        var set = 0
        var lost = 0
        /// Handled more than once.
        var twice = 0
    }

    private struct State {
        var isStopped = false
        var count = 0
    }

    private let state = Mutex(State())

    init(_ server: ThrowawayServer) throws {
        let socket = try PlainSocket(to: server)
        let thread = Thread { [self] in
            var buffer = [UInt8](repeating: 0, count: 4096)
            while let number = next() {
                socket.write(Array("SET crash:\(number) x PX 1\r\n".utf8))
                usleep(3000)
                // Finds it expired.
                socket.write(Array("GET crash:\(number)\r\n".utf8))
                _ = socket.read(into: &buffer)
                usleep(7000)
            }
        }
        thread.name = "keys"
        thread.start()
    }

    func stop() { state.withLock { $0.isStopped = true } }

    private func next() -> Int? {
        state.withLock { state in
            state.count += 1
            return state.isStopped ? nil : state.count
        }
    }

    /// Those set until half a second ago must have been handled.
    func account(of handled: [ThrowawayReplica.Handled]) -> Account {
        let count = max(0, state.withLock { $0.count } - 50)
        var times: [String: Int] = [:]
        for entry in handled { times[entry.key, default: 0] += 1 }
        var account = Account()
        account.set = count
        for number in stride(from: 1, through: count, by: 1) {
            let times = times["crash:\(number)"] ?? 0
            if times == 0 { account.lost += 1 }
            if times > 1 { account.twice += times - 1 }
        }
        return account
    }
}
