import HTTPTypes
import Hummingbird
import NIOCore

/// The page at `/`, and the events that keep it up to date.
extension AdminResponder {
    /// One document that asks nothing of any other place, and runs no script but its own.
    func pageResponse() -> Response {
        let nonce = Self.nonce()
        let policy = """
            default-src 'none'; script-src 'nonce-\(nonce)'; style-src 'nonce-\(nonce)'; connect-src 'self'; img-src data:; \
            base-uri 'none'; form-action 'none'; frame-ancestors 'none'
            """
        var headers: HTTPFields = [.contentType: "text/html; charset=utf-8", .cacheControl: "no-store"]
        headers[.contentSecurityPolicy] = policy
        headers[.xContentTypeOptions] = "nosniff"
        if let name = HTTPField.Name("Referrer-Policy") { headers[name] = "no-referrer" }
        return Response(
            status: .ok, headers: headers,
            body: ResponseBody(byteBuffer: ByteBuffer(string: PageDocument.text(nonce: nonce))))
    }

    /// Runs until the page is closed or the port is.
    func eventsResponse() -> Response {
        guard let viewer = feed.join() else {
            return Self.text(.serviceUnavailable, "as many pages look at this replica as may: close one\n")
        }
        let (feed, source) = (feed, source)
        return Response(
            status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-store"],
            body: ResponseBody { writer in
                defer { feed.leave(viewer) }
                try await writer.write(viewer.past)
                try await writer.write(await PageFeed.first(source))
                for await tick in viewer.ticks { try await writer.write(tick) }
                try await writer.finish(nil)
            })
    }

    private static func nonce() -> String {
        var random = SystemRandomNumberGenerator()
        return String(random.next(), radix: 36) + String(random.next(), radix: 36)
    }
}
