import Lapse
import RedisClient
import Testing

@testable import LapseDoctor

/// Each rule, driven by values.
struct DoctorRulesTests {
    func findings(_ facts: DeploymentFacts, _ check: String) -> [DoctorFinding] {
        Checkup.findings(facts).of(check)
    }

    @Test func aHealthyClusterHasNoFinding() {
        #expect(Checkup.findings(DoctorExamples.cluster).isEmpty)
    }

    @Test func aHealthyServerHasOnlyNoReplica() {
        let found = Checkup.findings(DoctorExamples.standalone)
        #expect(found.map(\.check) == ["replicas"] && found[0].severity == .notes)
    }

    @Test(arguments: [("", "Ex"), ("Kg", "KgEx"), ("KE", "KEx"), ("x", "xE"), ("AK", "AKE")])
    func missingNotificationsComeWithTheExactCommand(_ has: String, _ needs: String) throws {
        for index in [0, 5] {
            var facts = DoctorExamples.cluster
            facts.nodes[index].set("notify-keyspace-events", has)
            let finding = try #require(findings(facts, "notifications").first)
            let port = index + 1
            #expect(finding.severity == .breaks && finding.node == DoctorExamples.address(port))
            #expect(finding.fix == "redis-cli -h 10.0.0.\(port) -p \(port) CONFIG SET notify-keyspace-events \(needs)")
            #expect(finding.detail.contains("CONFIG REWRITE"))
        }
    }

    @Test("ids that are shared, and a key for dead letters of another type, are told")
    func sharedIDsAndDeadLetters() {
        var facts = DoctorExamples.cluster
        #expect(findings(facts, "ids").isEmpty && findings(facts, "dead-letter").isEmpty)
        facts.sharedIDs = ["a"]
        facts.deadLetter = ("letters", "hash")
        #expect(findings(facts, "ids").map(\.severity) == [.warns])
        #expect(findings(facts, "dead-letter").first?.detail.contains("letters is a hash") == true)
        facts.deadLetter = ("letters", "stream")
        #expect(findings(facts, "dead-letter").isEmpty)
    }

    @Test func whatCannotBeReadIsSaid() {
        var facts = DoctorExamples.cluster
        facts.user = "svc"
        facts.nodes[0].settings = .forbidden("NOPERM no 'config|get'")
        facts.nodes[1].settings = .renamed
        let found = findings(facts, "notifications")
        #expect(found.map(\.severity) == [.warns, .warns])
        #expect(found[0].fix == "redis-cli -h 10.0.0.1 -p 1 ACL SETUSER svc '+config|get'")
        #expect(found[0].detail.contains("--notifications off"))
        #expect(found[1].fix?.contains("--notifications off") == true)
    }

    @Test func aSilentMasterBreaksAndASilentReplicaWarns() {
        var facts = DoctorExamples.cluster
        facts.nodes[0].contact = .unreachable("cannot connect")
        facts.nodes[4].contact = .unreachable("cannot connect")
        facts.nodes[1].contact = .denied("WRONGPASS")
        let found = findings(facts, "reachability")
        #expect(found.map(\.severity) == [.breaks, .breaks, .warns])
        #expect(found.map { $0.node?.port } == [1, 2, 5])
    }

    @Test("row 56: memory that is nearly full is warned of from 80 % of the limit on")
    func fullMemory() throws {
        var facts = DoctorExamples.cluster
        facts.nodes[0].info["maxmemory"] = "1000000"
        facts.nodes[0].info["used_memory"] = "799000"
        #expect(findings(facts, "memory").isEmpty)
        facts.nodes[0].info["used_memory"] = "800000"
        let finding = try #require(findings(facts, "memory").first)
        #expect(finding.severity == .warns && finding.node == DoctorExamples.address(1))
        #expect(finding.detail.contains("no leader can be elected"))
        #expect(finding.fix?.hasPrefix("redis-cli -h 10.0.0.1 -p 1 CONFIG SET maxmemory 2000000") == true)
        facts.nodes[0].info["maxmemory_policy"] = "allkeys-lru"
        #expect(findings(facts, "memory").isEmpty, "keys go instead, which is told elsewhere")
    }

    @Test func aSlowNodeIsToldFromAQuickOne() {
        var facts = DoctorExamples.cluster
        facts.nodes[0].contact = .answered(after: .milliseconds(300))
        #expect(findings(facts, "reachability").map(\.severity) == [.warns])
        facts.nodes[0].contact = .answered(after: .milliseconds(200))
        #expect(findings(facts, "reachability").isEmpty)
    }

    @Test func slotsWithoutAnOwnerAndFailingNodes() {
        var facts = DoctorExamples.cluster
        facts.uncoveredSlots = 1
        facts.nodes[3].isFailing = true
        let found = findings(facts, "slots")
        #expect(found.map(\.severity) == [.breaks, .notes])
        #expect(found[0].title == "1 slot is owned by no node" && found[0].fix == "redis-cli --cluster fix 10.0.0.1:1")
    }

    @Test func aServerThatDiffersAboutItsRole() {
        var facts = DoctorExamples.cluster
        facts.nodes[0].info["role"] = "slave"
        facts.nodes[4].info["master_link_status"] = "down"
        #expect(findings(facts, "roles").map { $0.node?.port } == [1, 5])
    }

    @Test func registersOnTooFewServers() {
        var facts = DoctorExamples.cluster
        facts.registers[1].node = DoctorExamples.address(1)
        let found = findings(facts, "registers")
        #expect(found.map(\.severity) == [.warns])
        #expect(found[0].title == "3 registers on 2 servers" && found[0].node?.port == 1)
        #expect(found[0].fix == "redis-cli --cluster rebalance 10.0.0.1:1")
        facts.registers[0].node = nil
        facts.registers[1].node = nil
        #expect(findings(facts, "registers").map(\.severity) == [.breaks])
    }

    @Test func aRegisterOnOneServerIsFine() {
        #expect(findings(DoctorExamples.standalone, "registers").isEmpty)
    }

    @Test func twoLockServersThatAreOne() {
        var facts = DoctorExamples.standalone
        for port in 11...13 {
            var server = DoctorExamples.node(port, .master)
            server.isLockServer = true
            if port > 11 { server.info["run_id"] = "the same" }
            facts.nodes.append(server)
        }
        facts.registers = (11...13).map { .init(key: "lock", node: DoctorExamples.address($0)) }
        let found = findings(facts, "registers")
        #expect(found.map(\.severity) == [.breaks] && found[0].fix == "name different servers in --lock-servers")
    }

    @Test func registersThatShareAMachine() {
        var facts = DoctorExamples.cluster
        facts.registers = (1...3).map { .init(key: "lock", node: NodeAddress(host: "10.0.0.1", port: $0)) }
        #expect(findings(facts, "registers").map(\.severity) == [.notes])
    }

    @Test func evictionWarnsUntilItHappensAndBreaksWhereTheLockIs() {
        var facts = DoctorExamples.cluster
        facts.nodes[0].info["maxmemory_policy"] = "allkeys-lru"
        #expect(findings(facts, "eviction").isEmpty)
        facts.nodes[0].info["maxmemory"] = "104857600"
        #expect(findings(facts, "eviction").map(\.severity) == [.breaks])
        var elsewhere = facts
        elsewhere.registers = [facts.registers[1]]
        #expect(findings(elsewhere, "eviction").map(\.severity) == [.warns])
        facts.nodes[0].info["evicted_keys"] = "7"
        let found = findings(facts, "eviction")
        #expect(found.map(\.severity) == [.breaks] && found[0].detail.contains("lock"))
        #expect(found[0].fix == "redis-cli -h 10.0.0.1 -p 1 CONFIG SET maxmemory-policy noeviction")
    }

    @Test func aFailoverQuickerThanTheLeaseMattersWhereOneServerDecides() {
        var facts = DoctorExamples.cluster
        for index in facts.nodes.indices { facts.nodes[index].set("cluster-node-timeout", "5000") }
        #expect(findings(facts, "failover").isEmpty)
        facts.registers = [facts.registers[0]]
        #expect(
            findings(facts, "failover").first?.fix == "redis-cli -h 10.0.0.1 -p 1 CONFIG SET cluster-node-timeout 8000")
        facts.leaseTTL = .seconds(4)
        #expect(findings(facts, "failover").isEmpty)

        var group = DoctorExamples.sentinel
        #expect(findings(group, "failover").isEmpty)
        group.sentinelPatience = .seconds(1)
        #expect(findings(group, "failover").map(\.severity) == [.warns])
    }

    @Test func minReplicasTooHighStopsTheLease() {
        var facts = DoctorExamples.cluster
        facts.nodes[0].set("min-replicas-to-write", "2")
        #expect(findings(facts, "min-replicas").map(\.severity) == [.breaks])
    }

    @Test("row 114: a master cut off with the leader must stop taking renewals before a replica is promoted")
    func aMasterThatIsCutOffGoesOnTakingRenewals() {
        var facts = DoctorExamples.sentinel
        let first = findings(facts, "min-replicas")
        #expect(first.map(\.severity) == [.warns])
        #expect(first.first?.fix == "redis-cli -h 10.0.0.1 -p 1 CONFIG SET min-replicas-to-write 2")
        facts.nodes[0].info["min_slaves_good_slaves"] = "2"
        facts.nodes[0].set("min-replicas-to-write", "2")
        #expect(findings(facts, "min-replicas").isEmpty)
        // Ten seconds of lag and a lease of eight: longer than a Sentinel that promotes after twelve waits.
        facts.sentinelPatience = .seconds(12)
        let late = findings(facts, "min-replicas")
        #expect(late.first?.fix?.hasSuffix("CONFIG SET min-replicas-max-lag 4") == true, "\(late)")
        facts.nodes[0].set("min-replicas-max-lag", "4")
        #expect(findings(facts, "min-replicas").isEmpty)
    }

    @Test func nothingKeptOnDisk() {
        var facts = DoctorExamples.cluster
        facts.nodes[0].set("appendonly", "no")
        #expect(findings(facts, "persistence").map(\.severity) == [.warns])
        facts.nodes[0].set("save", "900 1")
        #expect(findings(facts, "persistence").isEmpty)
    }

    @Test func aServerYoungerThanTheLease() {
        var facts = DoctorExamples.cluster
        facts.nodes[0].info["uptime_in_seconds"] = "7"
        facts.nodes[5].info["uptime_in_seconds"] = "7"
        let found = findings(facts, "age")
        #expect(found.map { $0.node?.port } == [1] && found[0].severity == .notes)
    }

    @Test func aClockIsWrongOnlyBeyondWhatTheNetworkExplains() {
        var facts = DoctorExamples.cluster
        facts.nodes[2].clock = .init(offset: .milliseconds(90), uncertainty: .milliseconds(20))
        #expect(findings(facts, "clocks").isEmpty)
        facts.nodes[2].clock = .init(offset: .seconds(-2), uncertainty: .milliseconds(20))
        let found = findings(facts, "clocks")
        #expect(found.map { $0.node?.port } == [3] && found[0].title == "the clock is 2 s behind")
    }

    @Test func aMasterWithoutReplica() {
        var facts = DoctorExamples.cluster
        facts.nodes.remove(at: 3)
        #expect(findings(facts, "replicas").map { $0.node?.port } == [1])
    }

    @Test func aSmallOutputBuffer() {
        var facts = DoctorExamples.cluster
        facts.nodes[0].set("client-output-buffer-limit", "normal 0 0 0 slave 0 0 0 pubsub 1048576 0 0")
        facts.nodes[1].set("client-output-buffer-limit", "normal 0 0 0 slave 0 0 0 pubsub 0 0 0")
        let found = findings(facts, "output-buffer")
        #expect(found.map { $0.node?.port } == [1])
        #expect(
            found[0].fix == "redis-cli -h 10.0.0.1 -p 1 CONFIG SET client-output-buffer-limit 'pubsub 32mb 8mb 60'")
    }

    @Test("a server that tells no script what it may run is no proof of rights")
    func rightsThatCannotBeTried() {
        var facts = DoctorExamples.cluster
        facts.user = "lapse"
        #expect(findings(facts, "permissions").isEmpty)
        facts.nodes[1].info["redis_version"] = "6.2.5"
        #expect(findings(facts, "permissions").map(\.title) == ["not every right was tried"])
        facts.user = "default"
        #expect(findings(facts, "permissions").isEmpty)
    }

    @Test(
        "every missing right names the grant, and breaks what cannot do without it", arguments: Refusal.Right.allCases)
    func everyMissingRightNamesTheGrant(_ right: Refusal.Right) throws {
        var facts = DoctorExamples.cluster
        facts.user = "svc"
        facts.nodes[0].refusals = [Refusal(right, "NOPERM")]
        let finding = try #require(findings(facts, "permissions").first)
        let isNeeded = ![.deadLetters, .hints, .punctuality].contains(right)
        #expect(finding.severity == (isNeeded ? .breaks : .warns))
        #expect(finding.fix?.hasPrefix("redis-cli -h 10.0.0.1 -p 1 ACL SETUSER svc ") == true)
        // A pattern that Redis refuses beside `*` must not take the grant of the commands with it.
        for command in (finding.fix ?? "").split(separator: "; ") {
            let rights = command.split(separator: " svc ")[1].split(separator: " ")
            #expect(rights.count == 1 || rights.allSatisfy { $0.contains("+") }, "\(command)")
        }
    }

    @Test func anOldServer() {
        var facts = DoctorExamples.cluster
        facts.nodes[0].info["redis_version"] = "5.0.14"
        #expect(findings(facts, "version").map(\.severity) == [.breaks])
    }
}
