package import NIOCore
package import RESP
import Timing

/// Commands for keys, sent to the node that owns the key's slot, following the cluster's redirections.
///
/// Works the same on a single Redis or a Sentinel group, where the one master owns every slot.
package final class KeyedClient: Sendable {
    private let nodes: NodeDirectory
    private let watch: TopologyWatch
    private let loop: any EventLoop

    /// The pauses between attempts are kept by `loop`.
    package init(nodes: NodeDirectory, watch: TopologyWatch, on loop: any EventLoop) {
        self.nodes = nodes
        self.watch = watch
        self.loop = loop
    }

    /// Sends a command for `key`, within `timeout` all told. An error reply is thrown.
    ///
    /// - Parameter isPatient: passing trouble (TRYAGAIN, CLUSTERDOWN, no connection) is waited out; else it
    ///   is thrown at once.
    package func send(
        _ command: RESPCommand, key: String, timeout: Duration = .seconds(2), isPatient: Bool = true
    ) async throws(RedisError) -> RESPValue {
        try await route(slot: HashSlot.of(key), timeout: timeout, isPatient: isPatient) { _ in
            [command]
        } finish: {
            $0.last ?? .null
        }
    }

    /// Runs a script whose keys share one slot, within `timeout` all told.
    package func run(
        _ script: Script, keys: [String], arguments: [[UInt8]] = [], timeout: Duration = .seconds(2)
    ) async throws(RedisError) -> RESPValue {
        try await run(script, keys: keys.map { Array($0.utf8) }, arguments: arguments, timeout: timeout)
    }

    /// The same for keys of any bytes.
    ///
    /// - Parameters:
    ///   - rest: further arguments, encoded already.
    ///   - isPatient: passing trouble (TRYAGAIN, CLUSTERDOWN, no connection) is waited out; else it is
    ///     thrown at once.
    ///   - replicas: how many are to have what the script wrote, else NOREPLICAS is thrown: it was applied
    ///     all the same. What follows on this connection waits as long.
    package func run(
        _ script: Script, keys: [[UInt8]], arguments: [[UInt8]] = [], rest: RESPCommand = RESPCommand(),
        timeout: Duration = .seconds(2), isPatient: Bool = true, replicas: Int = 0
    ) async throws(RedisError) -> RESPValue {
        guard let first = keys.first else { preconditionFailure("a script without a key has no slot") }
        return try await route(
            slot: HashSlot.of(first), timeout: timeout, isPatient: isPatient, replicas: replicas
        ) { inFull in
            script.commands(keys: keys, arguments: arguments, rest: rest, inFull: inFull)
        } finish: {
            script.learn(from: $0)
        }
    }

    /// The node that would be asked for `key` now.
    package func node(for key: String) -> NodeAddress? { node(for: Array(key.utf8)) }

    package func node(for key: [UInt8]) -> NodeAddress? { watch.current?.owner(of: HashSlot.of(key))?.address }

    private func route(
        slot: UInt16, timeout: Duration, isPatient: Bool = true, replicas: Int = 0,
        commands: (_ inFull: Bool) -> [RESPCommand],
        finish: ([RESPValue]) -> RESPValue
    ) async throws(RedisError) -> RESPValue {
        let deadline = ContinuousClock.now + timeout
        var target = watch.current?.owner(of: slot)?.address
        var asking = false
        var inFull = false
        var backoff = Backoff(first: .milliseconds(10), cap: .milliseconds(200))
        var last = RedisError(.noNode, node: nil, "no node is known to own slot \(slot)")
        var moves = 0
        for _ in 0..<64 {
            let left = deadline - .now
            guard left > .zero else { break }
            var pause: Duration?
            var isAnswered = false
            if let address = target {
                do throws(RedisError) {
                    var batch = commands(inFull)
                    if asking {
                        batch = inFull ? batch : commands(true)
                        batch.insert(RESPCommand("ASKING"), at: batch.count - 1)
                    }
                    if replicas > 0 { batch.append(Self.wait(for: replicas, upTo: left)) }
                    var replies = try await nodes[address].send(
                        batch, to: watch.current?.identity(at: address), timeout: left)
                    isAnswered = true
                    let copies = replicas > 0 ? replies.popLast() : nil
                    if asking { replies.remove(at: replies.count - 2) }
                    let reply = finish(replies)
                    guard case .error(let error) = reply else {
                        if let copies { try Self.check(copies, replicas, address) }
                        return reply
                    }
                    last = RedisError(error, node: address)
                    asking = false
                    switch Redirection(error) {
                    case .none: throw last
                    case .sendScript: inFull = true
                    case .moved(let moved):
                        guard watch.current.map({ $0.mode == .cluster }) ?? true else {
                            throw RedisError(
                                .reply(error), node: address,
                                "\(error.text): a node of a cluster, taken for a single server; use --topology cluster")
                        }
                        watch.refreshSoon()
                        target = moved.map { watch.reachable($0, announcedBy: address) } ?? address
                        moves += 1
                        // Two nodes that each name the other agree again when the move is done, or mended.
                        if target == nil || moves > 2 { pause = backoff.next() }
                    case .ask(let other):
                        target = other.map { watch.reachable($0, announcedBy: address) } ?? address
                        asking = target != nil
                        if target == nil { pause = backoff.next() }
                    case .retry: pause = backoff.next()
                    }
                } catch {
                    // A reply thrown above is the command's own error; after a timeout it may have been applied.
                    // Without an answer it is the question who the server is that was refused.
                    if case .reply(let word) = error.kind, isAnswered || Redirection(word) != .retry { throw error }
                    if error.kind == .timeout || error.isPermanent { throw error }
                    last = error
                    pause = backoff.next()
                }
            } else {
                pause = backoff.next()
            }
            if let pause {
                watch.refreshSoon()
                guard isPatient else { throw last }
                if case .cancelled = await Doorbell(on: loop).wait(upTo: min(pause, left)) { break }
                target = watch.current?.owner(of: slot)?.address
                asking = false
            }
        }
        throw last
    }

    private static func wait(for replicas: Int, upTo left: Duration) -> RESPCommand {
        // Its own end comes before the connection's, which would say nothing about how many have it.
        let milliseconds = max(1, Int(left / .milliseconds(1)) * 3 / 4)
        return RESPCommand("WAIT", "\(replicas)", "\(milliseconds)")
    }

    private static func check(
        _ copies: RESPValue, _ replicas: Int, _ address: NodeAddress
    ) throws(RedisError) {
        if case .error(let error) = copies { throw RedisError(error, node: address) }
        let count = copies.int ?? 0
        guard count < replicas else { return }
        throw RedisError(
            RESPError("NOREPLICAS \(count) of \(replicas) replicas have what was written"), node: address)
    }
}
