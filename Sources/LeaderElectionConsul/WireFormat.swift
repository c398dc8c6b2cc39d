/// Consul's JSON, as far as it is used.
struct TransactionStep: Encodable {
    let operation: KeyOperation

    enum CodingKeys: String, CodingKey {
        case operation = "KV"
    }
}

struct TransactionOutcome: Decodable {
    struct Result: Decodable {
        let entry: ElectionView.Entry?

        enum CodingKeys: String, CodingKey {
            case entry = "KV"
        }
    }

    struct Failure: Decodable {
        let what: String

        enum CodingKeys: String, CodingKey {
            case what = "What"
        }
    }

    let results: [Result]?
    let errors: [Failure]?

    enum CodingKeys: String, CodingKey {
        case results = "Results"
        case errors = "Errors"
    }
}

struct SessionWish: Encodable {
    let name: String
    let ttl: String
    let lockDelay: String
    let checks: [String]
    /// Keys are released, never deleted: their index is the fencing token.
    let behavior = "release"

    enum CodingKeys: String, CodingKey {
        case name = "Name"
        case ttl = "TTL"
        case lockDelay = "LockDelay"
        case checks = "NodeChecks"
        case behavior = "Behavior"
    }
}

struct SessionAnswer: Decodable {
    let id: String
    let name: String?

    enum CodingKeys: String, CodingKey {
        case id = "ID"
        case name = "Name"
    }
}
