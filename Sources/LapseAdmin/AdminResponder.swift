import HTTPTypes
import Hummingbird
import NIOCore

/// The few pages of the admin port, all read only.
struct AdminResponder: HTTPResponder {
    typealias Context = BasicRequestContext

    let source: any AdminSource
    let registry: PrometheusRegistry
    let feed: PageFeed

    func respond(to request: Request, context: Context) async throws -> Response {
        guard request.method == .get || request.method == .head else {
            var refusal = Self.text(.methodNotAllowed, "only GET and HEAD\n")
            refusal.headers[.allow] = "GET, HEAD"
            return Self.announcesBody(request) ? Self.closing(refusal) : refusal
        }
        if Self.announcesBody(request) {
            return Self.closing(Self.text(.contentTooLarge, "no body is taken here\n"))
        }
        // A page that only asks for the head of the events would be a viewer for ever.
        if request.method == .get, request.uri.path == "/events" { return eventsResponse() }
        let response = page(request.uri.path)
        return request.method == .head ? response.createHeadResponse() : response
    }

    private func page(_ path: String) -> Response {
        switch path {
        case "/": return pageResponse()
        case "/livez":
            guard let reason = source.liveness() else { return Self.text(.ok, "ok\n") }
            return Self.text(.serviceUnavailable, reason + "\n")
        case "/readyz":
            let reasons = source.readiness()
            guard !reasons.isEmpty else {
                return Self.text(.ok, (["ok"] + source.notices()).map { $0 + "\n" }.joined())
            }
            return Self.text(.serviceUnavailable, reasons.map { $0 + "\n" }.joined())
        case "/status":
            return Self.response(.ok, "application/json", ByteBuffer(bytes: source.statusJSON()))
        case "/metrics":
            source.refreshGauges()
            return Self.response(
                .ok, PrometheusText.contentType,
                ByteBuffer(string: registry.render() + (ProcessFigures.now()?.rendered ?? "")))
        default:
            return Self.text(.notFound, "not found: try /, /livez, /readyz, /status or /metrics\n")
        }
    }

    static func text(_ status: HTTPResponse.Status, _ body: String) -> Response {
        response(status, "text/plain; charset=utf-8", ByteBuffer(string: body))
    }

    private static func response(_ status: HTTPResponse.Status, _ type: String, _ body: ByteBuffer) -> Response {
        // Every page is about this moment.
        Response(
            status: status, headers: [.contentType: type, .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: body))
    }

    private static func announcesBody(_ request: Request) -> Bool {
        request.headers[.transferEncoding] != nil || (request.headers[.contentLength] ?? "0") != "0"
    }

    private struct BodyRefused: Error {}

    /// Ends the connection behind the response: else the server would read the body to its end, however
    /// long.
    private static func closing(_ response: Response) -> Response {
        var response = response
        let body = response.body
        response.headers[.connection] = "close"
        response.body = ResponseBody(contentLength: body.contentLength) { writer in
            try await body.write(writer)
            throw BodyRefused()
        }
        return response
    }
}
