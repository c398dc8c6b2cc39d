import Endpoints
import LeaderElectionMySQL
import Testing

struct MySQLURLTests {
    #if MySQL
    @Test func readsAllParts() throws {
        let plain = try MySQLConfiguration(url: "mysql://lapse@db.example/jobs")
        #expect(plain == MySQLConfiguration(host: "db.example", user: "lapse", database: "jobs"))
        #expect(plain.port == 3306 && plain.scheme == .heartbeat && plain.table == "host_master" && plain.tls == nil)

        let full = try MySQLConfiguration(
            url: "mysql+tls://a%40b@[::1]:3307/my%20db?scheme=lease&table=leases_2&row=7", password: "secret",
            tls: TLSFiles(authority: "/ca.pem", certificate: "/c.pem", key: "/k.pem"))
        #expect(full.host == "::1" && full.port == 3307 && full.user == "a@b" && full.database == "my db")
        #expect(full.scheme == .lease && full.table == "leases_2" && full.row == 7)
        #expect(full.tls == .init(authority: "/ca.pem", certificate: "/c.pem", key: "/k.pem"))
        #expect(try MySQLConfiguration(url: "mysql://a@h/d?scheme=lease").table == "lease")
    }

    @Test func neverShowsThePassword() throws {
        let configuration = try MySQLConfiguration(url: "mysql://a@h/d", password: "s3cret")
        var dumped = ""
        dump(configuration, to: &dumped)
        for text in ["\(configuration)", String(reflecting: configuration), dumped] {
            #expect(!text.contains("s3cret"))
        }
    }

    @Test(arguments: [
        ("db.example", "a MySQL URL is"), ("http://a@h/d", "unknown scheme"), ("mysql://a@h", "database is missing"),
        ("mysql://a@h/", "one database"), ("mysql://a@h/d/e", "one database"), ("mysql://h/d", "user is missing"),
        ("mysql://a:s3cret@h/d", "into a file"), ("mysql://a@h:0/d", "1 to 65535"), ("mysql://a@h:x/d", "1 to 65535"),
        ("mysql://a@/d", "one host"), ("mysql://a@h,i/d", "one host"), ("mysql://a@[::1/d", "brackets"),
        ("mysql://a@[::1]x/d", "behind ']'"), ("mysql://a@h/d?scheme=other", "heartbeat or lease"),
        ("mysql://a@h/d?table=x`y", "letters, digits"), ("mysql://a@h/d?row=0", "from 1"),
        ("mysql://a@h/d?what=1", "scheme, table and row"), ("mysql://a%@h/d", "%25"), ("mysql://a%00@h/d", "zeros"),
    ])
    func namesTheMistake(url: String, part: String) {
        let error = #expect(throws: MySQLURLError.self) { try MySQLConfiguration(url: url) }
        #expect(error?.description.contains(part) == true, "\(String(describing: error))")
        #expect(error?.description.contains("s3cret") == false)
    }

    @Test func certificatesNeedEncryption() {
        #expect(throws: MySQLURLError.self) {
            try MySQLConfiguration(url: "mysql://a@h/d", tls: TLSFiles(authority: "/ca.pem"))
        }
        #expect(throws: MySQLURLError.self) {
            try MySQLConfiguration(url: "mysql+tls://a@h/d", tls: TLSFiles(certificate: "/c.pem"))
        }
    }

    @Test func timeoutsAreWholeSeconds() throws {
        var configuration = try MySQLConfiguration(url: "mysql://a@h/d")
        for (timeout, seconds) in [(1, 1), (1000, 1), (1001, 2), (2000, 2)] as [(Int, UInt32)] {
            configuration.timeout = .milliseconds(timeout)
            #expect(configuration.timeoutSeconds == seconds)
        }
    }
    #else
    @Test func withoutTheTraitItSaysHowToBuild() {
        let error = #expect(throws: MySQLURLError.self) { try MySQLConfiguration(url: "mysql://a@h/d") }
        #expect(error?.description == "built without MySQL: swift build --traits MySQL")
    }
    #endif
}
