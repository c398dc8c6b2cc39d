import LapseAdmin
import Testing

@Suite struct AdminAddressTests {
    @Test(arguments: [
        ("off", AdminAddress.off),
        ("127.0.0.1:9464", .listen(host: "127.0.0.1", port: 9464)),
        ("0.0.0.0:0", .listen(host: "0.0.0.0", port: 0)),
        ("localhost:65535", .listen(host: "localhost", port: 65535)),
        ("[::1]:9464", .listen(host: "::1", port: 9464)),
        ("[::]:9464", .listen(host: "::", port: 9464)),
    ])
    func readsAndPrints(text: String, address: AdminAddress) throws {
        #expect(try AdminAddress(parsing: text) == address)
        #expect(address.description == text)
    }

    @Test(arguments: [
        ("", "the port is missing"),
        ("9464", "the port is missing"),
        (":9464", "the host is missing"),
        ("localhost:", "'' is no port"),
        ("localhost:http", "'http' is no port"),
        ("localhost:+80", "'+80' is no port"),
        ("localhost:65536", "'65536' is no port"),
        ("::1:9464", "an IPv6 address needs brackets"),
        ("[::1]", "the port is missing or the brackets do not match"),
        ("[::1:9464", "the port is missing or the brackets do not match"),
        ("[]:9464", "'' in brackets is no IPv6 address"),
        ("[localhost]:9464", "'localhost' in brackets is no IPv6 address"),
        ("http://localhost:9464", "'http://localhost' is no host"),
        ("local host:9464", "'local host' is no host"),
    ])
    func refusesInOneLine(text: String, reason: String) {
        let error = #expect(throws: AdminAddress.Malformed.self) { try AdminAddress(parsing: text) }
        #expect(error?.reason == reason)
        #expect(error?.description.contains("\n") == false)
        #expect(error?.description.contains("HOST:PORT") == true)
    }
}
