import Foundation

// The part of etcd's API (etcdserverpb, rpc.proto) that the register uses, as its JSON gateway spells
// it: 64-bit numbers are strings, bytes are base64 (as `Data` encodes itself), and zeros and empty
// values are left out. It reads names in camel case too, and writes them with underscores.

extension JSONDecoder {
    static var etcd: JSONDecoder {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return decoder
    }
}

/// A 64-bit number of the gateway.
struct WireNumber: Codable, Sendable, Hashable {
    var value: Int64

    init(_ value: Int64) { self.value = value }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let number: Int64
        if let text = try? container.decode(String.self), let read = Int64(text) {
            number = read
        } else {
            number = try container.decode(Int64.self)
        }
        // Leases have numbers of 63 bits, and nothing is added to them; one more than a revision must exist.
        value = min(number, .max - 1)
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(String(value))
    }
}

struct WireHeader: Decodable, Sendable {
    var revision: WireNumber?
    var raftTerm: WireNumber?
}

struct WireKeyValue: Decodable, Sendable {
    var key: Data?
    var value: Data?
    var createRevision: WireNumber?
    var modRevision: WireNumber?
    var lease: WireNumber?
}

// MARK: Transactions

struct WireCompare: Encodable, Sendable {
    var key: Data
    var target: String
    var result: String
    var createRevision: WireNumber?
    var value: Data?

    static func isAbsent(_ key: Data) -> WireCompare {
        WireCompare(key: key, target: "CREATE", result: "EQUAL", createRevision: WireNumber(0))
    }

    static func holds(_ key: Data, _ value: Data) -> WireCompare {
        WireCompare(key: key, target: "VALUE", result: "EQUAL", value: value)
    }

    static func exceeds(_ key: Data, _ value: Data) -> WireCompare {
        WireCompare(key: key, target: "VALUE", result: "GREATER", value: value)
    }
}

struct WirePut: Encodable, Sendable {
    var key: Data
    var value: Data
    var lease: WireNumber?
}

struct WireRange: Encodable, Sendable {
    var key: Data
}

struct WireOperation: Encodable, Sendable {
    var requestPut: WirePut?
    var requestRange: WireRange?
    var requestTxn: WireTransaction?

    static func put(_ key: Data, _ value: Data, lease: EtcdLeaseID? = nil) -> WireOperation {
        WireOperation(requestPut: WirePut(key: key, value: value, lease: lease.map { WireNumber($0.number) }))
    }

    static func range(_ key: Data) -> WireOperation { WireOperation(requestRange: WireRange(key: key)) }
}

struct WireTransaction: Encodable, Sendable {
    var compare: [WireCompare] = []
    var success: [WireOperation] = []
    var failure: [WireOperation] = []
}

struct WireTransactionReply: Decodable, Sendable {
    struct Response: Decodable, Sendable {
        var responseRange: WireRangeReply?
    }

    var header: WireHeader?
    var succeeded: Bool?
    var responses: [Response]?

    /// The first value that an operation of type range found for the key.
    func found(_ key: Data) -> WireKeyValue? {
        for response in responses ?? [] {
            if let found = response.responseRange?.kvs?.first(where: { $0.key == key }) { return found }
        }
        return nil
    }
}

struct WireRangeReply: Decodable, Sendable {
    var header: WireHeader?
    var kvs: [WireKeyValue]?
}

// MARK: Leases

struct WireGrant: Encodable, Sendable {
    private enum CodingKeys: String, CodingKey {
        case id = "ID"
        case ttl = "TTL"
    }

    var id: WireNumber
    var ttl: WireNumber
}

struct WireLease: Encodable, Sendable {
    private enum CodingKeys: String, CodingKey { case id = "ID" }

    var id: WireNumber
}

struct WireLeaseReply: Decodable, Sendable {
    private enum CodingKeys: String, CodingKey {
        case header
        case ttl = "TTL"
    }

    var header: WireHeader?
    var ttl: WireNumber?
}

/// One message of a stream.
struct WireStreamed<Message: Decodable & Sendable>: Decodable, Sendable {
    var result: Message?
}

// MARK: Watching

struct WireWatch: Encodable, Sendable {
    struct Create: Encodable, Sendable {
        var key: Data
        var startRevision: WireNumber
        /// Only the end of a lock matters, not its next holder.
        var filters = ["NOPUT"]
    }

    var createRequest: Create
}

struct WireWatchReply: Decodable, Sendable {
    struct Event: Decodable, Sendable {
        var kv: WireKeyValue?
    }

    var events: [Event]?
    var canceled: Bool?
    var compactRevision: WireNumber?
}

// MARK: Logging in and failing

struct WireLogin: Encodable, Sendable {
    var name: String
    var password: String
}

struct WireLoginReply: Decodable, Sendable {
    var token: String?
}

/// How the gateway tells of an error: flat for a call, nested for a stream; `error` is text in old
/// versions.
struct WireError: Decodable, Sendable {
    private struct Nested: Decodable {
        var grpcCode: Int?
        var code: Int?
        var message: String?
    }

    private enum Key: String, CodingKey { case error, message, code }

    /// A status code of gRPC.
    let code: Int
    let message: String

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        if let nested = try? container.decode(Nested.self, forKey: .error) {
            code = nested.grpcCode ?? nested.code ?? 2
            message = nested.message ?? ""
        } else {
            code = try container.decode(Int.self, forKey: .code)
            let text = try? container.decode(String.self, forKey: .message)
            message = try text ?? container.decode(String.self, forKey: .error)
        }
    }
}
