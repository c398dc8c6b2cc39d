import Timing

/// Clients that set keys, renew them, shorten their lives and delete them, beside the nudges.
extension PunctualWorld {
    func write() {
        guard now < schedule.faultsEnd else { return }
        after(random.milliseconds(10...120)) { [unowned self] in write() }
        change(random.pick(schedule.keys))
    }

    private func change(_ key: Int) {
        guard let server = writable(key) else { return }
        let hasTTL = if case .until = server.keys[key] { true } else { false }
        let isThere = server.keys[key] != .absent
        let time = server.time(now)
        switch random.pick(20) {
        // DEL, SET without a TTL and SET KEEPTTL set no TTL: there is no hint.
        case 0: store(.absent, key, server)
        case 1: store(.persistent, key, server)
        case 2: if isThere { store(server.keys[key], key, server) }
        // EXPIRE, for long, for longer, for a shorter time.
        case 3: if isThere { store(.until(time + 3_600_000), key, server, isHinted: true) }
        case 4, 5: if isThere { store(.until(time + draw(4_000...8_000)), key, server, isHinted: true) }
        case 6...10: if hasTTL { store(.until(time + draw(20...1_500)), key, server, isHinted: true) }
        default: store(.until(time + draw(20...6_000)), key, server, isHinted: true)
        }
    }

    private func draw(_ range: ClosedRange<Int64>) -> Int64 { Int64.random(in: range, using: &random) }

    /// Where a client writes to a key, which expires there first if it is overdue; nil where it cannot.
    func writable(_ key: Int) -> KeyServer? {
        var server = home(of: key).server
        guard server.takesWrites(now) else { return nil }
        if server.isOverdue(key, now) {
            expire(key, server)
            // In a slot on the way, what is new is written to the next owner.
            server = home(of: key).server
        }
        return server.takesWrites(now) ? server : nil
    }

    func store(_ value: KeyServer.Stored, _ key: Int, _ server: KeyServer, isHinted: Bool = false) {
        note("store", key, "\(value) at \(server.index)")
        server.before[key] = server.keys[key]
        server.keys[key] = value
        settle(key)
        watched[key].heldBy = nil
        watched[key].isUnheard = false
        allowEarly(key, 2)
        if isHinted { hint(key, server) }
    }

    /// One key is renewed all the time.
    func storm(_ key: Int, until end: Duration) {
        guard now < end else { return }
        after(.milliseconds(5)) { [unowned self] in storm(key, until: end) }
        guard let server = writable(key) else { return }
        store(.until(server.time(now) + 4_000), key, server, isHinted: true)
    }

    /// Many keys that are due at once.
    func burst(in time: Duration) {
        for key in watched.indices where key % 3 == 0 {
            guard let server = writable(key) else { continue }
            store(.until(server.time(now) + time.inNanoseconds / 1_000_000), key, server, isHinted: true)
        }
    }
}
