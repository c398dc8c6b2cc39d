import Endpoints
import Testing

@testable import RedisClient

struct RedisURLTests {
    struct Good: Sendable {
        var text: String
        var scheme: RedisURL.Scheme = .plain
        var host = "127.0.0.1"
        var port = 6379
        var user: String?
        var password: String?
        var database: Int?
        var masterName = ""

        init(_ text: String, _ change: (inout Good) -> Void = { _ in }) {
            self.text = text
            change(&self)
        }
    }

    static let good: [Good] = [
        Good("redis://127.0.0.1:6379"),
        Good("redis://"),
        Good("REDIS://db") { $0.host = "db" },
        Good("redis://db:7000/") { ($0.host, $0.port) = ("db", 7000) },
        Good("redis://db/0") { ($0.host, $0.database) = ("db", 0) },
        Good("rediss://db:7000/15") { ($0.scheme, $0.host, $0.port, $0.database) = (.tls, "db", 7000, 15) },
        Good("redis://:secret@db") { ($0.host, $0.password) = ("db", "secret") },
        Good("redis://alice:secret@db") { ($0.host, $0.user, $0.password) = ("db", "alice", "secret") },
        Good("redis://a%3Ab:p%40s%2Fs%3A%25%3F@db") { ($0.host, $0.user, $0.password) = ("db", "a:b", "p@s/s:%?") },
        Good("redis://:p@ss@db") { ($0.host, $0.password) = ("db", "p@ss") },
        Good("redis://:a:b@db") { ($0.host, $0.password) = ("db", "a:b") },
        Good("redis://:p%C3%A4ss@db") { ($0.host, $0.password) = ("db", "päss") },
        Good("redis://@db") { $0.host = "db" },
        Good("redis://ann@db") {
            $0.host = "db"
            $0.user = "ann"
            $0.password = ""
        },
        Good("redis://ann:@db") { ($0.host, $0.user, $0.password) = ("db", "ann", "") },
        Good("redis://:@db") { $0.host = "db" },
        Good("redis://[::1]") { $0.host = "::1" },
        Good("redis://[fd00::2]:7000/3") { ($0.host, $0.port, $0.database) = ("fd00::2", 7000, 3) },
        Good("redis+sentinel://s1") {
            ($0.scheme, $0.host, $0.port, $0.masterName) = (.sentinel, "s1", 26379, "mymaster")
        },
        Good("redis+sentinel://s1:5000/main/2") {
            ($0.scheme, $0.host, $0.port, $0.masterName, $0.database) = (.sentinel, "s1", 5000, "main", 2)
        },
        Good("rediss+sentinel://:x@s1/main") {
            ($0.scheme, $0.host, $0.port, $0.masterName, $0.password) = (.sentinelTLS, "s1", 26379, "main", "x")
        },
        Good("redis+sentinel+tls://s1/main") {
            ($0.scheme, $0.host, $0.port, $0.masterName) = (.sentinelTLS, "s1", 26379, "main")
        },
    ]

    @Test(arguments: good)
    func reads(_ good: Good) throws {
        let url = try RedisURL(good.text)
        #expect(url.scheme == good.scheme)
        #expect(url.address == NodeAddress(host: good.host, port: good.port))
        #expect(url.credentials?.user == good.user)
        #expect(url.credentials?.password.reveal == good.password)
        #expect(url.database == good.database)
        #expect(url.masterName == good.masterName)
        #expect(url.usesTLS == (good.scheme == .tls || good.scheme == .sentinelTLS))
        #expect(url.isSentinel == (good.scheme == .sentinel || good.scheme == .sentinelTLS))
    }

    @Test(arguments: [
        "", "db:6379", "http://db", "redis:/db", "redis://db:0", "redis://db:65536", "redis://db:x", "redis://db:",
        "redis://db/x", "redis://db/-1", "redis://db/0/1", "redis://db/65536", "redis+sentinel://db/m/0/1",
        "redis://:%zz@db", "redis://:50%@db", "redis://:%+1@db", "redis://:%ff@db",
        "redis://db?db=1", "redis://::1", "redis://::1:6379", "redis://[::1", "redis://[::1]x", "redis://[::1]:",
        "redis://a:1,b:2", "redis+sentinel://a:1,b:2/main", "redis://:x@:6379",
    ])
    func refuses(_ text: String) {
        #expect(throws: RedisURLError.self) { try RedisURL(text) }
    }

    @Test(arguments: [
        "redis://:pa55word@db:x", "redis://:pa55word@db/x", "redis://:pa55word%@db",
        "redis://:pa55word/@db", "redis://:pa55word/x@db:6379", "redis://u:6379/pa55word@db", "redis://u:pa55word",
        "redis://:pa55word", "redis://:x/pa55word/y@db", "redis://:x?pa55word@db", "u:pa55word@db",
        "redis:pa55word@db", "pa55word://db", "redis://:x%ffpa55word@db", "redis://[pa55word", "redis://u:x#pa55word",
    ])
    func theErrorNeverShowsThePassword(_ text: String) throws {
        let error = try #require(throws: RedisURLError.self) { try RedisURL(text) }
        #expect(!"\(error) \(error.description)".contains("pa55word"))
        #expect(error.description.count > 20, "it says what is wrong")
    }

    @Test func noPasswordIsNotAnEmptyOne() throws {
        #expect(try RedisURL("redis://ann@db").credentials?.hasPassword == false)
        #expect(try RedisURL("redis://ann:@db").credentials?.hasPassword == true)
    }

    @Test func aURLDoesNotPrintItsPassword() throws {
        let url = try RedisURL("redis://alice:pa55word@db")
        var dumped = ""
        dump(url, to: &dumped)
        for text in ["\(url)", String(reflecting: url), "\(url.credentials as Any)", dumped] {
            #expect(!text.contains("pa55word"))
        }
    }
}
