import Foundation
import Synchronization

/// The thread of a run of `ArmedKeys`: a pipelined connection per master.
struct ArmingRounds {
    private let owner: ArmedKeys
    private let rate: Double
    private let ttl: ClosedRange<Duration>
    private let duration: Duration
    private var account = ArmedKeys.Account()
    private var slots = SlotMap()
    private var lanes: [Int: ArmingLane] = [:]
    /// Keys on their way to a node.
    private var waiting: [ArmingLane.Key] = []
    private var created = 0
    private var refreshed: ContinuousClock.Instant?
    private var isMapDoubtful = true

    init(_ owner: ArmedKeys, rate: Double, ttl: ClosedRange<Duration>, duration: Duration) {
        self.owner = owner
        self.rate = rate
        self.ttl = ttl
        self.duration = duration
    }

    consuming func run(isCancelled: () -> Bool) -> ArmedKeys.Account {
        let start = ContinuousClock.now
        var end = start + duration
        // Long enough for a failover to give refused keys a home.
        var deadline = end + .seconds(15)
        while true {
            let now = ContinuousClock.now
            if isCancelled(), end > now {
                end = now
                deadline = now + .seconds(2)
            }
            let nodes = owner.nodes()
            refreshIfDoubtful(nodes, now)
            create(upTo: min(now, end) - start, now)
            route(nodes, now)
            PlainConnection.wait(for: lanes.values.map(\.connection), upTo: .milliseconds(5))
            for (port, lane) in lanes { settle(lane, port) }
            if now >= end, waiting.isEmpty, lanes.values.allSatisfy(\.isIdle) { break }
            if now >= deadline { break }
        }
        for lane in lanes.values { abandon(lane) }
        account.refused.formUnion(waiting.map(\.name))
        return account
    }

    private mutating func refreshIfDoubtful(_ nodes: [ThrowawayServer], _ now: ContinuousClock.Instant) {
        guard isMapDoubtful, refreshed.map({ now - $0 > .milliseconds(100) }) ?? true else { return }
        slots.refresh(from: nodes)
        refreshed = now
        isMapDoubtful = false
    }

    private mutating func create(upTo elapsed: Duration, _ now: ContinuousClock.Instant) {
        let due = Int(elapsed / .seconds(1) * rate)
        while created < due {
            created += 1
            let number = owner.sequence.wrappingAdd(1, ordering: .relaxed).newValue
            let ttl = Int.random(in: ttl.lowerBound.milliseconds...ttl.upperBound.milliseconds)
            waiting.append(.init(name: "\(owner.prefix)\(number)", number: number, ttl: ttl, notBefore: now))
        }
    }

    private mutating func route(_ nodes: [ThrowawayServer], _ now: ContinuousClock.Instant) {
        var later: [ArmingLane.Key] = []
        for var key in waiting {
            guard key.notBefore <= now else {
                later.append(key)
                continue
            }
            if let port = key.askedPort ?? slots.port(of: key.slot), let lane = lane(port, nodes) {
                lane.send(key, now)
            } else {
                isMapDoubtful = true
                key.delay()
                later.append(key)
            }
        }
        waiting = later
        for lane in lanes.values { lane.flush(replicas: owner.replicasToWaitFor, now) }
    }

    private mutating func lane(_ port: Int, _ nodes: [ThrowawayServer]) -> ArmingLane? {
        // A node known to be frozen would only turn keys into unknown ones.
        guard let node = nodes.first(where: { $0.port == port }), node.isLive else { return nil }
        if let lane = lanes[port] { return lane }
        guard let connection = PlainConnection(to: node, within: .milliseconds(100)) else { return nil }
        let lane = ArmingLane(connection, expectsLogin: node.options.password != nil)
        lanes[port] = lane
        return lane
    }

    private mutating func settle(_ lane: ArmingLane, _ port: Int) {
        for outcome in lane.receive(replicas: owner.replicasToWaitFor) {
            switch outcome {
            case .acknowledged(let key):
                account.acknowledged[key.name] = .init(
                    ttl: .milliseconds(key.ttl), sent: key.sent, acknowledged: Date())
                owner.acknowledgements.add(1, ordering: .relaxed)
            case .unknown(let key): account.unknown.insert(key.name)
            case .refused(var key, let text):
                key.askedPort = SlotMap.redirect(text, "ASK")?.port
                if key.askedPort == nil {
                    isMapDoubtful = true
                    if !slots.learn(fromError: text) {
                        account.complaint = text
                        key.delay()
                    }
                }
                waiting.append(key)
            }
        }
        if lane.connection.isClosed || lane.isOverdue(ContinuousClock.now) {
            abandon(lane)
            lanes[port] = nil
            isMapDoubtful = true
        }
    }

    private mutating func abandon(_ lane: ArmingLane) {
        account.unknown.formUnion(lane.unanswered.map(\.name))
    }
}
