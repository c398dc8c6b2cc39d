import ArgumentParser
import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix

/// AsyncHTTPClient alone: what any program pays that posts as much.
struct PosterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "poster", abstract: "Posts webhooks of nothing, with AsyncHTTPClient and no more.",
        shouldDisplay: false)

    @Argument(help: "Where to.") var url: String
    @Option(help: "Requests.") var events = 50_000
    @Option(help: "Requests at once.") var concurrency = 64
    @Option(help: "Bytes of each body.") var bytes = 384
    @Option(help: "A pipe: a byte in it begins.") var begin: String

    @concurrent func run() async throws {
        let pipe = try FileHandle(forReadingFrom: URL(filePath: begin))
        // As Lapse has it, so that both speak alike.
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow, timeout: .init(connect: .seconds(5), read: .seconds(30)))
        configuration.httpVersion = .http1Only
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = concurrency
        configuration.connectionPool.retryConnectionEstablishment = false
        let loop = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let client = HTTPClient(eventLoopGroupProvider: .shared(loop), configuration: configuration)
        let posts = BarePosts(
            client: client, url: url, count: events,
            body: ByteBuffer(bytes: [UInt8](repeating: UInt8(ascii: "x"), count: bytes)))
        do {
            Console.show("ready")
            _ = try pipe.read(upToCount: 1)
            try await posts.run(atOnce: concurrency)
            // Its processor time can be read while it is there: it stays until it is killed.
            _ = try pipe.read(upToCount: 1)
        } catch {
            // One that is dropped open ends the process before the error is told.
            try? await client.shutdown()
            throw error
        }
        try await client.shutdown()
    }
}

/// Requests with as many headers as a webhook of Lapse without a secret.
private struct BarePosts: Sendable {
    let client: HTTPClient
    let url: String
    let count: Int
    let body: ByteBuffer

    func run(atOnce: Int) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for first in 1...atOnce {
                // One request at a time in each, so that as many are under way as there are tasks.
                group.addTask {
                    for number in stride(from: first, through: count, by: atOnce) { try await post(number) }
                }
            }
            try await group.waitForAll()
        }
    }

    private func post(_ number: Int) async throws {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers = [
            "content-type": "application/json", "user-agent": "lapse-bench", "webhook-id": "\(Self.runID)-\(number)",
            "webhook-timestamp": "1767322984", "lapse-term": "1", "lapse-token": "1", "lapse-attempt": "1",
        ]
        request.body = .bytes(body)
        let response = try await client.execute(request, deadline: .distantFuture)
        guard response.status == .noContent else { throw Refused(status: response.status.code) }
        _ = try await response.body.collect(upTo: 64 << 10)
    }

    /// As long as a run id of Redis.
    private static let runID = String(repeating: "a", count: 40)

    private struct Refused: Error, CustomStringConvertible {
        let status: UInt
        var description: String { "the receiver answers \(status)" }
    }
}
