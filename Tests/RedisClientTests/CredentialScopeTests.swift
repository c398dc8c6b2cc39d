import Endpoints
import Testing

@testable import RedisClient

/// A secret is given to those whom it was given for.
@Suite struct CredentialScopeTests {
    private func deployment(
        _ urls: [String], _ change: (inout RedisDeployment.Input) -> Void = { _ in }
    ) throws(RedisDeployment.Malformed) -> RedisDeployment {
        var words = RedisDeployment.Input(urls: urls, clientName: "test")
        change(&words)
        return try RedisDeployment(words)
    }

    @Test(arguments: [
        ("redis://:data@10.0.0.1", "redis://10.0.0.2", nil),
        ("redis://:data@10.0.0.1", "redis://10.0.0.1:7000", "data"),
        ("redis://:data@10.0.0.1", "redis://:own@10.0.0.2", "own"),
        ("rediss://:data@10.0.0.1", "redis://10.0.0.1", nil),
        ("rediss://:data@10.0.0.1", "rediss://10.0.0.1", "data"), ("rediss://:data@10.0.0.1", "rediss://10.0.0.2", nil),
        ("redis+sentinel://:data@10.0.0.1", "redis://10.0.0.1", nil),
    ])
    func lockServersOfOtherHostsGetNoCredentials(redis: String, lock: String, password: String?) throws {
        let deployment = try deployment([redis])
        let settings = try deployment.settings.independent(RedisURL(lock), of: deployment.seeds)
        #expect(settings.credentials?.password == password.map { Secret($0) })
    }

    @Test func aLockServersUserAloneTakesTheKnownPassword() throws {
        let deployment = try deployment(["redis://:data@10.0.0.1"])
        let settings = try deployment.settings.independent(RedisURL("redis://ann@10.0.0.1:7000"), of: deployment.seeds)
        #expect(settings.credentials == Credentials(user: "ann", password: Secret("data")))
        let open = try deployment.settings.independent(RedisURL("redis://ann:@10.0.0.2"), of: deployment.seeds)
        #expect(open.credentials == Credentials(user: "ann", password: Secret("")), "a user with nopass")
    }

    /// What stands where the user does may be a password that lacks its colon.
    @Test(arguments: [
        ("redis://:data@10.0.0.1", "redis://pa55word@10.0.0.2"), ("redis://10.0.0.1", "redis://pa55word@10.0.0.1:7000"),
        ("rediss://:data@10.0.0.1", "redis://pa55word@10.0.0.1"),
    ])
    func aLockServersUserWithoutAnyPasswordIsRefused(redis: String, lock: String) throws {
        let deployment = try deployment([redis])
        let error = #expect(throws: RedisURLError.self) {
            _ = try deployment.settings.independent(RedisURL(lock), of: deployment.seeds)
        }
        #expect(error?.description.contains("a user and no password") == true)
        #expect(error?.description.contains("pa55word") == false)
    }

    @Test func aUserWithoutAPasswordIsRefusedAndNotShown() throws {
        let error = #expect(throws: RedisDeployment.Malformed.self) {
            _ = try deployment(["redis://pa55word@10.0.0.1"])
        }
        #expect(error?.text.contains("a user and no password") == true && error?.text.contains("pa55word") == false)
        let open = try deployment(["redis://ann:@10.0.0.1"]).settings
        #expect(open.credentials == Credentials(user: "ann", password: Secret("")), "a user with nopass")
    }

    @Test func aSentinelHasTheServersCredentialsUnlessItHasItsOwn() throws {
        let url = "redis+sentinel://alice:data@10.0.0.1/m"
        let shared = try deployment([url]).sentinelSettings
        #expect(shared.credentials == Credentials(user: "alice", password: Secret("data")))
        #expect(shared.mayBeOpen, "it is asked first")
        let own = try deployment([url]) { $0.sentinel.password = "own" }.sentinelSettings
        #expect(own.credentials == Credentials(user: nil, password: Secret("own")))
        #expect(!own.mayBeOpen)
        let user = try deployment([url]) { $0.sentinel.user = "bob" }.sentinelSettings
        #expect(user.credentials == Credentials(user: "bob", password: Secret("data")))
    }

    @Test func aPasswordGoesToNoSentinelInPlainTextBesideTLS() throws {
        let url = "rediss+sentinel://:data@10.0.0.1/m"
        let plain = try deployment([url]) { $0.sentinel.usesTLS = false }
        #expect(plain.settings.tls != nil && plain.sentinelSettings.tls == nil)
        #expect(plain.sentinelSettings.credentials == nil)
        let encrypted = try deployment(["redis+sentinel://10.0.0.1/m"]) { $0.sentinel.usesTLS = true }
        #expect(encrypted.settings.tls == nil && encrypted.sentinelSettings.tls != nil)
    }

    @Test func whatNeedsASentinelIsRefusedWithoutOne() {
        let error = #expect(throws: RedisDeployment.Malformed.self) {
            _ = try deployment(["redis://10.0.0.1"]) { $0.sentinel.user = "bob" }
        }
        #expect(error?.text.contains("redis+sentinel://") == true)
    }

    @Test(arguments: [
        ("redis://a", AnnouncedAddress.auto, false), ("rediss://a", .auto, true), ("rediss://a", .ip, false),
        ("redis://a", .name, true),
    ])
    func theAnnouncedAddressIsChosen(url: String, announced: AnnouncedAddress, usesNames: Bool) throws {
        #expect(try deployment([url]) { $0.announced = announced }.seeds.useHostNames == usesNames)
    }

    /// Redirections name a node in one way, connections go there in another.
    @Test func aRedirectionIsFollowedByNameAndByAddress() {
        let text = """
            aaa 10.0.0.1:7000@17000,one.example myself,master - 0 0 1 connected 0-8191
            bbb 10.0.0.2:7001@17001,two.example master - 0 0 2 connected 8192-16383
            """
        let asked = NodeAddress(host: "10.0.0.1", port: 7000)
        for (useHostNames, host) in [(true, "two.example"), (false, "10.0.0.2")] {
            let topology = ClusterNodes.merge(
                [ClusterNodes(text, asked: asked)], map: AddressMap(), useHostNames: useHostNames)
            for name in ["10.0.0.2", "two.example"] {
                let node = topology.node(announcedAs: NodeAddress(host: name, port: 7001))
                #expect(node?.address == NodeAddress(host: host, port: 7001))
            }
            #expect(topology.node(announcedAs: NodeAddress(host: "10.0.0.3", port: 7001)) == nil)
        }
    }

    /// One that is away may let us in when it is back.
    @Test func aRefusalIsFinalOnlyWhereAllRefuse() {
        let node = NodeAddress(host: "a", port: 1)
        let refusal = RedisError(.denied, node: node, "WRONGPASS")
        let away = RedisError(.unreachable, node: NodeAddress(host: "b", port: 2), "refused")
        #expect(RedisError.of([refusal, refusal]).kind == .denied)
        #expect(RedisError.of([away]).kind == .unreachable)
        let mixed = RedisError.of([away, refusal])
        #expect(mixed.kind == .unreachable)
        #expect(mixed.description == "a:1: WRONGPASS; b:2: refused")
    }
}
