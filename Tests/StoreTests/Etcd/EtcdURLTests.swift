import Foundation
import NIOSSL
import Testing

@testable import LeaderElectionEtcd

@Suite struct EtcdURLTests {
    @Test func readsEndpointsAndPrefix() throws {
        let one = try EtcdConfiguration(url: "etcd://host")
        #expect(one.endpoints == [.init(host: "host", port: 2379)] && one.prefix == "/lapse" && one.tls == nil)
        let many = try EtcdConfiguration(url: "etcd+tls://ann@a:1,[::1]:2,10.0.0.1/some//where/", password: "hidden")
        #expect(
            many.endpoints == [.init(host: "a", port: 1), .init(host: "::1", port: 2), .init(host: "10.0.0.1")])
        #expect(many.prefix == "/some/where" && many.user == "ann" && many.tls != nil)
    }

    @Test(arguments: [
        ("etc://a", "scheme"), ("a:2379", "starts with"), ("etcd://", "host"), ("etcd://a,,b", "host"),
        ("etcd://a:0", "port"), ("etcd://a:x", "port"), ("etcd://a:70000", "port"), ("etcd://[::1", "]"),
        ("etcd://a?x=1", "options"), ("etcd://ann:geheim@a", "file"), ("etcd://ann@a", "store-password-file"),
        ("etcd://@a", "user"), ("etcd://[::1]x", ":port"),
    ])
    func namesTheMistake(url: String, word: String) {
        let error = #expect(throws: EtcdURLError.self) { try EtcdConfiguration(url: url) }
        #expect(error?.description.contains(word) == true, "\(String(describing: error))")
        #expect(error?.description.contains("geheim") == false)
    }

    @Test func thePasswordIsNeverPrinted() throws {
        let configuration = try EtcdConfiguration(url: "etcd://ann@a", password: "geheim")
        var dumped = ""
        dump(configuration, to: &dumped)
        for text in ["\(configuration)", configuration.debugDescription, String(reflecting: configuration), dumped] {
            #expect(!text.contains("geheim"))
        }
    }

    @Test func termsAreOrderedAsBytes() {
        let terms: [UInt64] = [1, 2, 9, 10, 99, 100, 12_345, 1 << 53 - 1]
        for term in terms {
            let written = String(decoding: EtcdTerm(term: term, token: .max).bytes, as: UTF8.self)
            let floor = String(decoding: EtcdTerm.floor(term), as: UTF8.self)
            let below = String(decoding: EtcdTerm(term: term - 1, token: .max).bytes, as: UTF8.self)
            #expect(written > floor && floor > below)
            #expect(EtcdTerm(EtcdTerm(term: term, token: 7).bytes) == EtcdTerm(term: term, token: 7))
        }
        #expect(EtcdTerm(.init()) == nil)
    }

    @Test func oldVersionsHaveOtherPaths() {
        #expect(EtcdPrefix.v3.path(.revoke) == "/v3/lease/revoke")
        #expect(EtcdPrefix.v3beta.path(.revoke) == "/v3beta/kv/lease/revoke")
        #expect(EtcdPrefix.v3beta.path(.transaction) == "/v3beta/kv/txn")
        #expect(EtcdPrefix.v3.other == .v3beta && EtcdPrefix.v3beta.other == .v3)
    }
}
