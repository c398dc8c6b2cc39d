import NIOCore
import RESP
import RedisClient

/// The short-lived list in which peers answer, and the account of its unread bytes, which bounds what
/// Redis holds for a replica.
///
/// The asking replica opens an account before it publishes a question, and closes it after the last
/// one. Peers draw on it for what they write, and reading puts that back. A forged question has no
/// account, and costs one GET. Builds without accounts share one of the group, which is not refilled
/// until it lapses.
package struct RepairMailbox: Sendable {
    /// What the lists of one account hold at most.
    static let limitBytes = 16 << 20
    /// How long answers, and an account that is not renewed, stay.
    package static let life = Duration.seconds(10)
    /// The same in milliseconds.
    private static let patience = "\(Int(life / .milliseconds(1)))"

    private let client: any CommandRunner
    private let key: @Sendable (_ nonce: String) -> String

    package init(client: any CommandRunner, key: @escaping @Sendable (_ nonce: String) -> String) {
        self.client = client
        self.key = key
    }

    /// What became of an answer.
    enum Posting: Sendable, Equatable {
        case written
        /// The account is overdrawn until answers are read.
        case full
        /// There is no account: answers are not read.
        case unread
    }

    // MARK: The replica that asks

    /// Opens the account, or makes it last, and publishes the question.
    func ask(_ request: RepairRequest, on channel: String) async throws(RedisError) {
        try await open(request.account ?? "", telling: request.text, on: channel)
    }

    /// Opens an account, or makes it last, and publishes a message.
    func open(_ account: String, telling message: String, on channel: String) async throws(RedisError) {
        _ = try await client.run(
            Self.open, keys: [key(account)], arguments: texts("\(Self.limitBytes)", Self.patience, channel, message))
    }

    /// Takes what has been answered so far, about a megabyte at most; empty when there is nothing.
    func take(_ request: RepairRequest) async -> [RepairAnswer] {
        let answers = try? await take(request.nonce, of: request.account ?? "")
        return (answers ?? []).compactMap(RepairAnswer.init)
    }

    /// The elements of one list, about a megabyte at most.
    func take(_ nonce: String, of account: String) async throws(RedisError) -> [ByteBuffer] {
        let reply = try await client.run(
            Self.take, keys: [key(nonce), key(account)], arguments: texts("\(Self.limitBytes)", "\(1 << 20)"))
        return (reply.array ?? []).compactMap(\.bytes)
    }

    /// Lays a question beside the account that is too long for a message.
    func lay(_ question: [UInt8], at nonce: String) async throws(RedisError) {
        let key = key(nonce)
        var command = RESPCommand("SET", key)
        command.append(question)
        command.append(contentsOf: ["PX", Self.patience])
        _ = try await client.send(command, key: key)
    }

    /// What was laid there; nil for nothing, or more than any question.
    func question(at nonce: String, upTo limit: Int) async throws(RedisError) -> [UInt8]? {
        let key = key(nonce)
        guard let bytes = try await client.send(RESPCommand("GET", key), key: key).bytes else { return nil }
        return bytes.readableBytes <= limit ? Array(bytes.readableBytesView) : nil
    }

    /// What is left of a question and its answers.
    func remove(_ nonces: [String]) async {
        for key in nonces.map(key) { _ = try? await client.send(RESPCommand("DEL", key), key: key) }
    }

    /// These answers are no longer read.
    func close(_ request: RepairRequest) async {
        _ = try? await client.run(
            Self.take, keys: [key(request.nonce), key(request.account ?? "")],
            arguments: texts("\(Self.limitBytes)", "0"))
    }

    /// No question is open.
    func closeAccount(_ account: String) async {
        let account = key(account)
        _ = try? await client.send(RESPCommand("DEL", account), key: account)
    }

    // MARK: The peers that answer

    /// Whether the answers are read.
    func isRead(_ request: RepairRequest) async throws(RedisError) -> Bool {
        guard let account = request.account.map(key) else { return true }
        return try await client.send(RESPCommand("GET", account), key: account).bytes != nil
    }

    func put(_ answer: RepairAnswer, _ request: RepairRequest) async throws(RedisError) -> Posting {
        try await put(answer.bytes, request.nonce, of: request.account)
    }

    func put(_ answer: [UInt8], _ nonce: String, of account: String?) async throws(RedisError) -> Posting {
        let shared = account == nil ? "\(Self.limitBytes)" : ""
        let reply = try await client.run(
            Self.put, keys: [key(nonce), key(account ?? "shared")], arguments: [answer] + texts(Self.patience, shared))
        return switch reply.int {
        case 1: .written
        case 0: .full
        default: .unread
        }
    }

    private func texts(_ texts: String...) -> [[UInt8]] { texts.map { Array($0.utf8) } }

    /// KEYS: account. ARGV: bytes, milliseconds, channel, question.
    private static let open = Script(
        """
        if redis.call('PEXPIRE', KEYS[1], ARGV[2]) == 0 then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
        return redis.call('PUBLISH', ARGV[3], ARGV[4])
        """)

    /// KEYS: list, account. ARGV: answer, milliseconds, the bytes of an account that is made here ('' if it
    /// must be there).
    private static let put = Script(
        """
        local left = tonumber(redis.call('GET', KEYS[2]) or '')
        local lasts = left and 'KEEPTTL'
        left = left or tonumber(ARGV[3])
        if not left then return -1 end
        if left < #ARGV[1] then return 0 end
        left = string.format('%.0f', left - #ARGV[1])
        if lasts then redis.call('SET', KEYS[2], left, 'KEEPTTL') else redis.call('SET', KEYS[2], left, 'PX', ARGV[2]) end
        redis.call('RPUSH', KEYS[1], ARGV[1])
        redis.call('PEXPIRE', KEYS[1], ARGV[2])
        return 1
        """)

    /// KEYS: list, account. ARGV: the account's limit, how many bytes to return; all are dropped for 0.
    private static let take = Script(
        """
        local taken, bytes, wanted = {}, 0, tonumber(ARGV[2])
        while wanted == 0 or bytes < wanted do
          local one = redis.call('LPOP', KEYS[1])
          if not one then break end
          if wanted > 0 then taken[#taken + 1] = one end
          bytes = bytes + #one
        end
        local left = bytes > 0 and tonumber(redis.call('GET', KEYS[2]) or '')
        if left then
          left = string.format('%.0f', math.min(left + bytes, tonumber(ARGV[1])))
          redis.call('SET', KEYS[2], left, 'KEEPTTL')
        end
        return taken
        """)
}
