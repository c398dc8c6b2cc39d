package import Foundation
import Synchronization

/// An independent subscriber to `__keyevent@0__:expired` on every node, replicas included: what Redis
/// emitted.
///
/// It has its own sockets and its own thread, and shares no code with the product. It subscribes anew
/// when a node restarts.
package final class ExpirationWitness: Sendable {
    package struct Sighting: Sendable {
        package let key: String
        /// Address of the node that emitted it.
        package let node: String
        package let time: Date
        /// The process that emitted it, and the how many-th of its expirations it was: what it had counted
        /// before comes with the subscription, in one step.
        package var runID = ""
        package var ordinal: UInt64 = 0
    }

    private let notes = WitnessNotes()

    private init() {}

    deinit { notes.isStopping.store(true, ordering: .relaxed) }

    /// A witness that is subscribed to all the nodes.
    package static func watching(_ nodes: [ThrowawayServer]) async throws -> ExpirationWitness {
        let witness = ExpirationWitness()
        let thread = Thread { [notes = witness.notes] in WitnessRounds(notes).run() }
        thread.name = "witness"
        thread.start()
        for node in nodes { try await witness.add(node) }
        return witness
    }

    /// Watches one more node, and returns once subscribed to it.
    package func add(_ node: ThrowawayServer) async throws {
        guard node.options.tls == nil else {
            throw ThrowawayRedisError("the witness speaks no TLS, and \(node.address) nothing else")
        }
        notes.state.withLock { $0.nodes.append(node) }
        try await waitUntilSubscribed(to: node)
    }

    /// Waits until a node that was added is heard again, after its restart for example.
    package func waitUntilSubscribed(to node: ThrowawayServer) async throws {
        let what = "the witness is subscribed to \(node.address)"
        try await waitUntil(what, within: .seconds(10), every: .milliseconds(5)) {
            self.notes.state.withLock { state in
                state.subscribed.contains(node.port) ? nil : state.refusals[node.port] ?? "no connection yet"
            }
        }
    }

    /// Everything seen so far, in the order of arrival.
    package var sightings: [Sighting] { notes.state.withLock { $0.sightings } }

    /// How often each key was seen.
    package var counts: [String: Int] { notes.state.withLock { $0.counts } }

    /// Waits until each of the keys was seen at least once.
    package func waitUntilSeen(_ keys: some Collection<String>, within limit: Duration) async throws {
        try await waitUntil("\(keys.count) keys are seen to expire", within: limit, every: .milliseconds(50)) {
            let counts = self.counts
            let missing = keys.filter { counts[$0] == nil }
            return missing.isEmpty ? nil : "\(missing.count) are missing, such as \(missing.first ?? "")"
        }
    }

    /// Ends the thread and its connections; what was seen stays.
    package func stop() async throws {
        notes.isStopping.store(true, ordering: .relaxed)
        try await waitUntil("the witness ends", within: .seconds(5), every: .milliseconds(5)) {
            self.notes.hasEnded.load(ordering: .relaxed) ? nil : "its thread runs"
        }
    }
}

/// What the thread and the owner of a witness share.
private final class WitnessNotes: Sendable {
    struct State {
        var nodes: [ThrowawayServer] = []
        /// Ports of the nodes, as is the key of `refusals`.
        var subscribed: Set<Int> = []
        var refusals: [Int: String] = [:]
        var sightings: [ExpirationWitness.Sighting] = []
        var counts: [String: Int] = [:]
    }

    let state = Mutex(State())
    let isStopping = Atomic(false)
    let hasEnded = Atomic(false)
}

/// The thread of a witness.
private struct WitnessRounds {
    private static let channel = "__keyevent@0__:expired"
    private let notes: WitnessNotes
    private var connections: [Int: PlainConnection] = [:]
    private var processes: [Int: (runID: String, counter: UInt64)] = [:]

    init(_ notes: WitnessNotes) { self.notes = notes }

    consuming func run() {
        while !notes.isStopping.load(ordering: .relaxed) {
            let nodes = notes.state.withLock { $0.nodes }
            for node in nodes where connections[node.port] == nil && node.isLive { connect(to: node) }
            // Short, because a restarted node may emit as soon as it runs.
            PlainConnection.wait(for: connections.values, upTo: .milliseconds(10))
            for node in nodes { listen(to: node) }
        }
        notes.hasEnded.store(true, ordering: .relaxed)
    }

    private mutating func connect(to node: ThrowawayServer) {
        guard let connection = PlainConnection(to: node, within: .milliseconds(200)) else { return }
        connection.send(["INFO"])
        connection.send(["SUBSCRIBE", Self.channel])
        connection.flush()
        connections[node.port] = connection
    }

    private static func field(_ name: String, _ info: String) -> String? {
        info.split(whereSeparator: \.isNewline).first { $0.hasPrefix("\(name):") }.map {
            String($0.dropFirst(name.count + 1))
        }
    }

    private mutating func listen(to node: ThrowawayServer) {
        guard let connection = connections[node.port] else { return }
        let replies = connection.receive()
        let time = Date()
        notes.state.withLock { state in
            for reply in replies {
                if case .error(let text) = reply { state.refusals[node.port] = text }
                if let info = reply.text, let runID = Self.field("run_id", info) {
                    processes[node.port] = (runID, Self.field("expired_keys", info).flatMap { UInt64($0) } ?? 0)
                }
                let words = reply.items
                switch words.first?.text {
                case "message" where words.count == 3:
                    let key = words[2].text ?? ""
                    processes[node.port]?.counter += 1
                    let process = processes[node.port] ?? ("", 0)
                    state.sightings.append(
                        .init(
                            key: key, node: node.address, time: time, runID: process.runID, ordinal: process.counter))
                    state.counts[key, default: 0] += 1
                case "subscribe": state.subscribed.insert(node.port)
                default: break
                }
            }
            if connection.isClosed { state.subscribed.remove(node.port) }
        }
        if connection.isClosed { connections[node.port] = nil }
    }
}
