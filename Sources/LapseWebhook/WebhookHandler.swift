import AsyncHTTPClient
import Crypto
package import Endpoints
import FoundationEssentials
package import Lapse
import LapseHandlers
import LeaderElection
import NIOCore
import NIOHTTP1
import Timing

/// Posts each expiration to an URL, after Standard Webhooks: the same `webhook-id` at each attempt, and
/// a signature.
///
/// 2xx says that it is handled. 408, 425, 429, 5xx, a connection that fails and a timeout are tried
/// again; everything else is a dead letter at once.
package final class WebhookHandler: Sendable {
    private let url: WebhookURL
    private let secrets: WebhookSecrets
    private let replica: String
    private let clients: WebhookClients

    /// - Parameters:
    ///   - files: the authorities to trust, for `https`; nil trusts the system's.
    ///   - replica: this replica's id.
    ///   - timeout: of one request, its connection included.
    package init(
        _ url: WebhookURL, secrets: WebhookSecrets, files: TLSFiles?, replica: String, timeout: Duration,
        connections: Int
    ) throws {
        self.url = url
        self.secrets = secrets
        self.replica = replica
        clients = try WebhookClients(files, timeout: timeout, connections: connections)
    }

    /// Ends its connections. Nothing may be posted afterwards.
    package func shutDown() async { await clients.shutDown() }

    @Sendable package func callAsFunction(_ expiration: Expiration, _ context: HandlerContext) async throws {
        let request = request(
            Self.id(expiration), body(expiration, context), term: context.term, token: context.fencingToken,
            attempt: context.attempt)
        // A process that was stopped meanwhile must not begin; what is on its way carries the token.
        guard context.isLeading else { throw CancellationError() }
        if let failure = try await answer(request).failure { throw failure }
    }

    /// A request of its own time, whatever the body says of it.
    func request(
        _ id: String, _ body: [UInt8], term: UInt64, token: FencingToken, attempt: Int
    ) -> HTTPClientRequest {
        let seconds = Int64(WallClock.milliseconds()) / 1000
        var request = HTTPClientRequest(url: url.text)
        request.method = .POST
        request.headers = [
            "content-type": "application/json", "user-agent": "lapse/\(BuildVersion.text)", "webhook-id": id,
            "webhook-timestamp": "\(seconds)", "lapse-term": "\(term)", "lapse-token": "\(token.rawValue)",
            "lapse-attempt": "\(attempt)",
        ]
        if let signature = secrets.signature(id: id, timestamp: seconds, body: body) {
            request.headers.add(name: "webhook-signature", value: signature)
        }
        request.body = .bytes(ByteBuffer(bytes: body))
        return request
    }

    func answer(_ request: HTTPClientRequest) async throws -> WebhookAnswer {
        do {
            // The lane's timeout cancels it; the client's own deadline is only the last resort.
            let response = try await clients.current.execute(request, deadline: .distantFuture)
            let wait = WebhookAnswer.retryAfter(response.headers.first(name: "retry-after"))
            let answer = WebhookAnswer.status(response.status.code, retryAfter: wait)
            // Read, so that the connection can be used again; more than this closes it.
            _ = try? await response.body.collect(upTo: 64 << 10)
            return answer
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            try Task.checkCancellation()
            return .none("\(url.authority) cannot be reached: \(error)")
        }
    }

    private func body(_ expiration: Expiration, _ context: HandlerContext) -> [UInt8] {
        var format = format(term: context.term, token: context.fencingToken)
        return Self.event(expiration, attempt: context.attempt, &format)
    }

    func format(term: UInt64, token: FencingToken) -> NDJSONFormat {
        NDJSONFormat(
            replica: replica, term: term, token: token.rawValue, handledAt: Int64(WallClock.milliseconds()))
    }

    /// - Parameter id: named in it, where the header has that of a batch.
    static func event(
        _ expiration: Expiration, id: String? = nil, attempt: Int, _ format: inout NDJSONFormat
    ) -> [UInt8] {
        var event = JSONLine()
        event.add("type", "key.expired")
        if let id { event.add("id", id) }
        event.add("timestamp", UTCTime(milliseconds: Int64(clamping: expiration.receivedMilliseconds)).text)
        // Without the newlines, and without the brace that comes behind the data.
        var bytes = event.finish()
        bytes.removeLast(2)
        bytes += #","data":"#.utf8
        bytes += format.line(expiration, attempt: attempt).dropLast()
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }

    /// The position, or for what was found by its companion, and has none, what is the same at each
    /// attempt.
    static func id(_ expiration: Expiration) -> String {
        guard expiration.ordinal == 0 else { return "\(expiration.runID)-\(expiration.ordinal)" }
        var hash = SHA256()
        hash.update(data: Array("\(expiration.database) \(expiration.key.bytes.count) ".utf8))
        hash.update(data: expiration.key.bytes)
        hash.update(data: expiration.value ?? [])
        return "reconcile-" + Self.text(hash)
    }

    /// Of a batch: the same for the same ids in the same order.
    static func id(of ids: [String]) -> String {
        guard ids.count != 1 else { return ids[0] }
        var hash = SHA256()
        for id in ids { hash.update(data: Array("\(id)\n".utf8)) }
        return "batch-" + text(hash)
    }

    private static func text(_ hash: SHA256) -> String {
        hash.finalize().prefix(16).map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
    }
}
