import Lapse
import RedisClient

@testable import LapseDoctor

/// Facts of a healthy deployment, to be spoilt by each test in one place.
enum DoctorExamples {
    static let settings = [
        "notify-keyspace-events": "xE", "hz": "10", "active-expire-effort": "1", "appendonly": "yes", "save": "",
        "client-output-buffer-limit": "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
        "min-replicas-to-write": "0", "cluster-node-timeout": "15000", "maxmemory": "0",
        "maxmemory-policy": "noeviction",
    ]

    static func node(_ port: Int, _ role: Topology.Role, of master: Int? = nil) -> NodeFacts {
        var facts = NodeFacts(address(port), role)
        facts.masterID = master.map { "\(address($0))" }
        facts.slotCount = role == .master ? 5461 : 0
        facts.info = [
            "role": role == .master ? "master" : "slave", "redis_version": "7.0.15", "uptime_in_seconds": "86400",
            "maxmemory": "0", "maxmemory_policy": "noeviction", "evicted_keys": "0", "hz": "10",
            "run_id": "run-\(port)",
            "db0": "keys=100,expires=40,avg_ttl=0", "master_link_status": "up",
        ]
        facts.settings = .read(settings)
        facts.clock = NodeFacts.Clock(offset: .milliseconds(3), uncertainty: .milliseconds(1))
        return facts
    }

    static func address(_ port: Int) -> NodeAddress { NodeAddress(host: "10.0.0.\(port)", port: port) }

    /// Masters 1, 2, 3 with replicas 4, 5, 6, and a register on each master.
    static var cluster: DeploymentFacts {
        DeploymentFacts(
            mode: .cluster, nodes: (1...3).map { node($0, .master) } + (4...6).map { node($0, .replica, of: $0 - 3) },
            registers: (1...3).map { .init(key: "{lapse-\($0)}:default:lock", node: address($0)) })
    }

    static var standalone: DeploymentFacts {
        DeploymentFacts(
            mode: .standalone, nodes: [node(1, .master)],
            registers: [.init(key: "{lapse-0}:default:lock", node: address(1))])
    }

    /// A master and two replicas under Sentinel.
    static var sentinel: DeploymentFacts {
        var facts = DeploymentFacts(
            mode: .sentinel, nodes: [node(1, .master), node(2, .replica, of: 1), node(3, .replica, of: 1)],
            registers: [.init(key: "{lapse-0}:default:lock", node: address(1))])
        facts.sentinelPatience = .seconds(30)
        return facts
    }
}

extension NodeFacts {
    mutating func set(_ name: String, _ value: String) {
        guard case .read(var values) = settings else { return }
        values[name] = value
        settings = .read(values)
    }
}

extension [DoctorFinding] {
    func of(_ check: String) -> [DoctorFinding] { filter { $0.check == check } }
}
