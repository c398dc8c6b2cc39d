import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import ThrowawayStores

/// What an operator does to a plain Consul by its HTTP API, where its command line has no word for it.
struct ConsulOperator: Sendable {
    struct Session: Decodable, Sendable {
        let id: String
        let name: String
        let ttl: String
        /// In nanoseconds.
        let lockDelay: Int64
        let behavior: String

        enum CodingKeys: String, CodingKey {
            case id = "ID"
            case name = "Name"
            case ttl = "TTL"
            case lockDelay = "LockDelay"
            case behavior = "Behavior"
        }
    }

    struct Key: Decodable, Sendable {
        let session: String?

        enum CodingKeys: String, CodingKey {
            case session = "Session"
        }
    }

    private let url: String

    init(_ consul: ThrowawayConsul) {
        url = "http://127.0.0.1:\(consul.port)/v1/"
    }

    func sessions() async throws -> [Session] {
        try JSONDecoder().decode([Session].self, from: try await send(.GET, "session/list?consistent"))
    }

    func destroySession(_ id: String) async throws {
        _ = try await send(.PUT, "session/destroy/\(id)")
    }

    func createSession(_ json: String) async throws -> String {
        let answer = try await send(.PUT, "session/create", json)
        return try JSONDecoder().decode([String: String].self, from: answer)["ID"] ?? ""
    }

    func key(_ name: String) async throws -> Key? {
        let data = try await send(.GET, "kv/\(name)?consistent")
        return data.isEmpty ? nil : try JSONDecoder().decode([Key].self, from: data).first
    }

    /// True when the lock was taken.
    func acquire(_ key: String, session: String) async throws -> Bool {
        String(decoding: try await send(.PUT, "kv/\(key)?acquire=\(session)", "x"), as: UTF8.self).contains("true")
    }

    /// A check of the agent's node, passing from the first.
    func register(check: String) async throws {
        _ = try await send(
            .PUT, "agent/check/register", #"{"ID":"\#(check)","Name":"\#(check)","TTL":"1h","Status":"passing"}"#)
    }

    func pass(check: String) async throws {
        _ = try await send(.PUT, "agent/check/pass/\(check)")
    }

    func fail(check: String) async throws {
        _ = try await send(.PUT, "agent/check/fail/\(check)")
    }

    private func send(_ method: HTTPMethod, _ path: String, _ body: String? = nil) async throws -> Data {
        var request = HTTPClientRequest(url: url + path)
        request.method = method
        if let body { request.body = .bytes(ByteBuffer(string: body)) }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(10))
        let data = Data(try await response.body.collect(upTo: 4 << 20).readableBytesView)
        guard (200..<300).contains(response.status.code) || response.status.code == 404 else {
            throw GaveUp(description: "\(path): \(response.status.code) \(String(decoding: data, as: UTF8.self))")
        }
        return data
    }
}
