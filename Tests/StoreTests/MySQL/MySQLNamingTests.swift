#if MySQL
import LeaderElection
import LeaderElectionMySQL
import Testing

/// Replicas that ask another row differ in their rules, or each row would elect a leader.
struct MySQLNamingTests {
    private func rules(_ url: String) async throws -> String {
        let store = MySQLLeaseStore(configuration: try MySQLConfiguration(url: url), name: "n", logger: quiet)
        let rules = ElectionConfiguration(name: "n").rules(for: store)
        await store.shutDown()
        return rules
    }

    @Test(arguments: ["mysql://a@h/d?row=2", "mysql://a@h/e", "mysql://a@h/d?table=t", "mysql://a@h/d?scheme=lease"])
    func anotherVoteIsAnotherRule(url: String) async throws {
        let (ours, theirs) = (try await rules("mysql://a@h/d"), try await rules(url))
        #expect(ours != theirs)
    }

    /// The way there may differ, as with a name and an address of one server.
    @Test func theSameVoteIsTheSameRule() async throws {
        let (ours, theirs) = (try await rules("mysql://a@h/d"), try await rules("mysql+tls://b@i:3307/d?row=1"))
        #expect(ours == theirs)
    }
}
#endif
