import LapseAdmin
import Metrics
import NIOCore
import NIOPosix
import Synchronization
import Testing

/// No peer takes the admin port from the others.
@Suite(.timeLimit(.minutes(1))) struct AdminLimitsTests {
    /// A peer that connects and reads nothing.
    private func connect(
        _ admin: RunningAdmin, from address: String, saying request: String = ""
    ) async throws -> any Channel {
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .bind(to: SocketAddress(ipAddress: address, port: 0))
            .channelOption(.autoRead, value: request.isEmpty)
            .channelOption(.socketOption(.so_rcvbuf), value: 2048)
            .connect(host: "127.0.0.1", port: admin.port).get()
        if !request.isEmpty { channel.writeAndFlush(ByteBuffer(string: request), promise: nil) }
        return channel
    }

    private func get(_ path: String, _ admin: RunningAdmin, from address: String) async throws -> String {
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .bind(to: SocketAddress(ipAddress: address, port: 0))
            .connect(host: "127.0.0.1", port: admin.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(
                ByteBuffer(string: "GET \(path) HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))
            var answer = ""
            for try await part in inbound { answer += String(buffer: part) }
            return answer
        }
    }

    @Test func theDefaultsAreThePromised() {
        let limits = AdminLimits()
        #expect(limits.idle < .seconds(10) && limits.unread < .seconds(30))
        #expect(limits.connectionsPerPeer * 4 <= limits.connections)
    }

    @Test func fiveHundredConnectionsOfOneAddressHoldUpNoOther() async throws {
        let registry = PrometheusRegistry()
        // An answer larger than what the sockets take in.
        for number in 0..<2000 {
            Counter(label: "some_total", dimensions: [("number", "\(number)")], factory: registry).increment()
        }
        try await RunningAdmin.run(registry: registry) { admin in
            var peers: [any Channel] = []
            for _ in 0..<256 { peers.append(try await connect(admin, from: "127.0.0.1")) }
            let requests = String(repeating: "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", count: 20)
            for _ in 0..<256 { peers.append(try await connect(admin, from: "127.0.0.1", saying: requests)) }
            let answer = try await get("/livez", admin, from: "127.0.0.2")
            #expect(answer.hasPrefix("HTTP/1.1 200 "), "\(answer)")
            for peer in peers { try? await peer.close() }
        }
    }

    @Test(arguments: ["", "GET /livez HTTP/1.1\r\nHost: "])
    func aConnectionWithoutARequestEnds(part: String) async throws {
        var limits = AdminLimits()
        limits.idle = .milliseconds(100)
        try await RunningAdmin.run(limits: limits) { admin in
            let peer = try await connect(admin, from: "127.0.0.3")
            if !part.isEmpty { peer.writeAndFlush(ByteBuffer(string: part), promise: nil) }
            // Closed by the server, or the test's time limit ends this.
            try await peer.closeFuture.get()
        }
    }

    @Test func aPeerThatDoesNotReadIsCutOff() async throws {
        let registry = PrometheusRegistry()
        for number in 0..<2000 {
            Counter(label: "some_total", dimensions: [("number", "\(number)")], factory: registry).increment()
        }
        var limits = AdminLimits()
        limits.unread = .milliseconds(200)
        limits.connectionsPerPeer = 1
        try await RunningAdmin.run(registry: registry, limits: limits) { admin in
            let requests = String(repeating: "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", count: 200)
            let peer = try await connect(admin, from: "127.0.0.4", saying: requests)
            // Its only place is free again once it was cut off.
            var answer = ""
            while !answer.hasPrefix("HTTP/1.1 200 ") {
                answer = (try? await get("/livez", admin, from: "127.0.0.4")) ?? ""
            }
            try? await peer.close()
        }
    }
}

@Suite struct ConnectionSharesTests {
    @Test func theSurplusOfOneIsNobodyElses() {
        var shares = ConnectionShares(total: 5, perPeer: 3)
        var admitted: [String] = []
        for peer in ["a", "a", "a", "a", "b", "b", "c"] where shares.admits(peer) { admitted.append(peer) }
        #expect(admitted == ["a", "a", "a", "b", "b"], "c came when all were taken")
        shares.left("a")
        shares.left("nobody")
        for peer in ["c", "d"] where shares.admits(peer) { admitted.append(peer) }
        #expect(admitted.last == "c")
    }
}
