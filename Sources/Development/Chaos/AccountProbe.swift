import Foundation
import FoundationNetworking
import Synchronization
package import ThrowawayRedis

/// Asks the replicas' status pages all the time, whatever happens to them, and adds up what they say.
///
/// It knows nothing of how the product counts: it reads the JSON as a dashboard would.
package final class AccountProbe: Sendable {
    /// What the page says of one node.
    struct Account: Sendable, Decodable, Equatable {
        var announced: Int
        var handled: Int
        var deadLettered: Int
        var pending: Int
        var waiting: Int
        var lost: Int
        var ignored: Int
        var unannounced: Int

        var isBalanced: Bool {
            announced == handled + deadLettered + pending + waiting + lost + ignored + unannounced
        }
    }

    private struct Page: Decodable {
        struct Node: Decodable {
            var address: String
            var account: Account?
        }
        var nodes: [Node]
    }

    private struct State {
        var samples = 0
        var unbalanced: [String] = []
        var last: [String: Account] = [:]
    }

    private let state = Mutex(State())
    private let isStopping = Atomic(false)

    /// Begins to ask.
    package init(_ replicas: [ThrowawayReplica]) {
        // Links the networking library: without it `Data(contentsOf:)` reads files only.
        _ = URLSession.shared
        for replica in replicas {
            let thread = Thread { [self] in watch(replica) }
            thread.name = "account-probe"
            thread.start()
        }
    }

    package func stop() { isStopping.store(true, ordering: .relaxed) }

    /// How many accounts of nodes were read from leaders.
    package var samples: Int { state.withLock { $0.samples } }

    /// Those that did not add up.
    package var unbalanced: [String] { state.withLock { $0.unbalanced } }

    /// The last leader's last word, by node.
    var last: [String: Account] { state.withLock { $0.last } }

    private func watch(_ replica: ThrowawayReplica) {
        var port: (pid: Int32, address: String)?
        while !isStopping.load(ordering: .relaxed) {
            Thread.sleep(forTimeInterval: 0.1)
            guard let pid = replica.pid, replica.isRunning else { continue }
            if port?.pid != pid { port = replica.adminAddress.map { (pid, $0) } }
            // A process that is just ending, or only starting, answers nothing: the next round asks again.
            guard let address = port?.address, let url = URL(string: "http://\(address)/status"),
                let data = try? Data(contentsOf: url), let page = try? JSONDecoder().decode(Page.self, from: data)
            else {
                port = nil
                continue
            }
            let accounts = page.nodes.compactMap { node in node.account.map { (node.address, $0) } }
            guard !accounts.isEmpty else { continue }
            state.withLock { state in
                state.samples += accounts.count
                state.last = Dictionary(accounts) { first, _ in first }
                for (node, account) in accounts where !account.isBalanced {
                    state.unbalanced.append("\(replica.id) of \(node): \(account)")
                }
            }
        }
    }
}

extension ThrowawayReplica {
    /// Where its newest process answers; nil while it does not.
    fileprivate var adminAddress: String? {
        let line = log.split(separator: "\n").last { $0.contains("admin port open") }
        return line?.split(separator: " ").first { $0.hasPrefix("address=") }.map { String($0.dropFirst(8)) }
    }
}
