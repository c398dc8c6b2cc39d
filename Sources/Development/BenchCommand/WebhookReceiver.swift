import ThrowawayRedis

/// A running `lapse-bench receiver`.
struct WebhookReceiver {
    private let process: ThrowawayProcess
    private let port: Int

    static func start() async throws -> WebhookReceiver {
        let process = try await ThrowawayProcess.start(CommandLine.arguments[0], ["receiver", "--port", "0"])
        var port: Int?
        try await waitUntil("the receiver listens", within: .seconds(20)) {
            let output = process.output
            // The line is whole.
            port = output.last == "\n" ? Int(output.dropLast()) : nil
            return port == nil ? output : nil
        }
        guard let port else { throw ThrowawayRedisError("the receiver has no port") }
        return WebhookReceiver(process: process, port: port)
    }

    var url: String { "http://127.0.0.1:\(port)/" }

    func counts() throws -> WebhookCounts {
        let socket = try PlainSocket(host: "127.0.0.1", port: port)
        socket.write(Array("GET /counts HTTP/1.1\r\nHost: bench\r\n\r\n".utf8))
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 12)
        while case let count = socket.read(into: &buffer), count > 0 { answer += buffer[..<count] }
        let text = String(decoding: answer, as: UTF8.self)
        guard let counts = WebhookCounts(text.split(separator: "\r\n").last ?? "") else {
            throw ThrowawayRedisError("the receiver tells no counts: \(text)")
        }
        return counts
    }

    func stop() async { await process.kill() }
}
