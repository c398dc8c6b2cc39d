import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import Synchronization

/// One answer of the gateway.
struct EtcdAnswer: Sendable {
    var status = 0
    var body = ByteBuffer()

    /// The gateway does not know the path. (etcd's own "not found" is JSON.)
    var isMissingPath: Bool { status == 404 && error == nil }

    private var error: WireError? { try? JSONDecoder.etcd.decode(WireError.self, from: Data(body.readableBytesView)) }

    func failure(at endpoint: String) -> EtcdFailure {
        if let error { return .status(code: error.code, message: "\(endpoint): \(error.message)") }
        let text = String(buffer: body)
        if text.contains("CommonName of client") {
            return .refused(
                "\(endpoint): this etcd takes the CommonName of a client certificate for its user, and its JSON gateway "
                    + "refuses such certificates: give Lapse a certificate without a CommonName, and a user and password "
                    + "(etcd+tls://user@host, --store-password-file)")
        }
        return .unreachable("\(endpoint): HTTP \(status) \(String(buffer: body).prefix(100))")
    }
}

extension ByteBuffer {
    /// The lines of a stream of messages; the last may be unfinished.
    var lines: [ByteBuffer] { readableBytesView.split(separator: UInt8(ascii: "\n")).map(ByteBuffer.init) }
}

/// Takes an answer, whole or as far as the first line that is enough.
final class EtcdAnswerCollector: HTTPClientResponseDelegate {
    typealias Response = EtcdAnswer

    private struct State {
        var answer = EtcdAnswer()
        var isEnough = false
    }

    private static let limit = 1 << 20
    private let state = Mutex(State())
    private let until: @Sendable (ByteBuffer) -> Bool

    init(until: @escaping @Sendable (ByteBuffer) -> Bool) { self.until = until }

    /// What came, if the rest was cut off because it was enough.
    var enough: EtcdAnswer? { state.withLock { $0.isEnough ? $0.answer : nil } }

    func didReceiveHead(task: HTTPClient.Task<EtcdAnswer>, _ head: HTTPResponseHead) -> EventLoopFuture<Void> {
        state.withLock { $0.answer.status = Int(head.status.code) }
        return task.eventLoop.makeSucceededVoidFuture()
    }

    func didReceiveBodyPart(task: HTTPClient.Task<EtcdAnswer>, _ part: ByteBuffer) -> EventLoopFuture<Void> {
        let body = state.withLock { state in
            state.answer.body.writeImmutableBuffer(part)
            return state.answer.body
        }
        guard body.readableBytes <= Self.limit else {
            return task.eventLoop.makeFailedFuture(EtcdFailure.unexpected("an answer of more than a megabyte"))
        }
        // Only whole lines count.
        if body.readableBytesView.last == UInt8(ascii: "\n"), body.lines.contains(where: until) {
            state.withLock { $0.isEnough = true }
            task.cancel()
        }
        return task.eventLoop.makeSucceededVoidFuture()
    }

    func didFinishRequest(task: HTTPClient.Task<EtcdAnswer>) throws -> EtcdAnswer { state.withLock { $0.answer } }
}
