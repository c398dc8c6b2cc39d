import ArgumentParser
import Foundation
import Glibc
import ThrowawayRedis

/// How long nothing is handled after the leader's worker died below its parent.
struct CrashCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "crash", abstract: "From the death of a supervised leader to the next leader's first handler.",
        discussion: """
            Three replicas of lapse run --supervise on; a key expires about every 10 ms. Each leader has led for more than 5 s when its \
            worker is killed: sooner, its lease would be left to run out. At the end the account: nothing may be lost.
            """)

    @OptionGroup var executable: LapseExecutable
    @Option(help: "Kills of each kind.") var rounds = 20
    @Option(help: "Lease length, as lapse takes it.") var leaseTTL = "8s"
    @Option(parsing: .upToNextOption, help: "Stores: redis (one server), etcd, consul, heartbeat, lease.")
    var stores = StoreOnTrial.allCases
    @Option(help: "Supervised or not: on or off.") var supervise = "on"

    /// Signals that a process does not survive, by what they are like.
    private static let deaths = [("SIGKILL", SIGKILL), ("trap", SIGTRAP)]
    /// Longer than what a parent takes for the work of a poisoned expiration.
    private static let leadership = Duration.milliseconds(5300)

    func run() async throws {
        Console.show("| store, lease \(leaseTTL) | death by | median, ms | most, ms | set | lost | twice |")
        Console.show("|---|---|---|---|---|---|---|")
        for store in stores { try await measure(store) }
    }

    private func measure(_ store: StoreOnTrial) async throws {
        let server = try await ThrowawayServer.start()
        let started = try await store.startBeside(server)
        let replicas = try ["a", "b", "c"].map { id in
            try ThrowawayReplica(
                id: id, binary: executable.path,
                arguments: ["--redis", server.url, "--lease-ttl", leaseTTL, "--admin", "off"] + started.options,
                isSupervised: supervise == "on")
        }
        for replica in replicas {
            try await replica.start()
            try await waitUntil("it is there", within: .seconds(60)) {
                replica.log.contains("subscribed") ? nil : replica.log
            }
        }
        // What expires while none listens is not theirs to account for.
        let feeder = try KeyFeeder(server)
        for (name, signal) in Self.deaths {
            var times: [Duration] = []
            for _ in 0..<rounds { times.append(try await kill(replicas, by: signal)) }
            let median = Int(times.median / .milliseconds(1))
            let most = Int((times.max() ?? .zero) / .milliseconds(1))
            // What was set last needs a moment.
            try await Task.sleep(for: .milliseconds(500))
            let account = feeder.account(of: replicas.flatMap(\.handled))
            Console.show(
                "| \(store.rawValue) | \(name) | \(median) | \(most) | \(account.set) | \(account.lost) | \(account.twice) |"
            )
        }
        feeder.stop()
        for replica in replicas { await replica.kill() }
        await started.shutDown()
        await server.shutDown()
    }

    /// Kills the leader's worker, once it has led for long enough; returns how long it took until another
    /// handled something.
    private func kill(_ replicas: [ThrowawayReplica], by signal: Int32) async throws -> Duration {
        try await waitUntil("one has led for long enough", within: .seconds(90)) {
            guard let (_, term) = Self.newest(replicas), let first = Self.first(of: term, replicas) else {
                return "none"
            }
            return Date().timeIntervalSince1970 - first > Self.leadership / .seconds(1) ? nil : "not yet"
        }
        guard let (leader, term) = Self.newest(replicas), let worker = leader.worker else { return .zero }
        let died = Date().timeIntervalSince1970
        Glibc.kill(worker, signal)
        var began: Double?
        try await waitUntil("another one handles", within: .seconds(120)) {
            began = Self.newest(replicas).flatMap { $0.term > term ? Self.first(of: $0.term, replicas) : nil }
            return began == nil ? replicas.map { $0.log.suffix(400) }.joined(separator: "\n") : nil
        }
        if supervise != "on" { try await leader.start() }
        return .milliseconds(Int64((((began ?? died) - died) * 1000).rounded()))
    }

    /// The replica that handled something last, by the term.
    private static func newest(_ replicas: [ThrowawayReplica]) -> (leader: ThrowawayReplica, term: UInt64)? {
        replicas.compactMap { replica in replica.handled.last.map { (replica, $0.term) } }.max { $0.1 < $1.1 }
    }

    /// When the first expiration of a term was handled, in seconds since 1970.
    private static func first(of term: UInt64, _ replicas: [ThrowawayReplica]) -> Double? {
        for replica in replicas {
            let handled = replica.handled
            guard let last = handled.lastIndex(where: { $0.term == term }) else { continue }
            var index = last
            while index > 0, handled[index - 1].term == term { index -= 1 }
            return handled[index].time
        }
        return nil
    }
}

extension StoreOnTrial {
    /// The store of an election whose expirations come from `server`.
    fileprivate func startBeside(_ server: ThrowawayServer) async throws -> Started {
        self == .redis ? Started(options: []) {} : try await start()
    }
}
