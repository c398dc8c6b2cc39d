import Testing

@testable import LeaderElection

/// Which registers a leader tells of.
@Suite struct RegisterAlarmsTests {
    @Test("a register that has missed two renewals is told once, with its reason, and once when it is back")
    func lostAndBack() {
        var alarms = RegisterAlarms()
        let away = RegisterState.unreachable(RegisterError(.unreachable, "connection refused"))
        #expect(alarms.renewed([.ok, .unknown, away]).isEmpty, "one renewal may heal it")
        guard case .lost(2, let reason)? = alarms.renewed([.ok, .ok, away]).first else {
            Issue.record("not told")
            return
        }
        #expect(reason.contains("connection refused"))
        #expect(alarms.renewed([.ok, .ok, away]).isEmpty)
        #expect(alarms.renewed([.ok, .ok, .ok]) == [.back(index: 2)])
        #expect(alarms.renewed([.ok, .ok, .ok]).isEmpty)
    }

    @Test("one that is healed by the next renewal is not told at all")
    func healed() {
        var alarms = RegisterAlarms()
        #expect(alarms.renewed([.lost]).isEmpty)
        #expect(alarms.renewed([.ok]).isEmpty)
        #expect(alarms.renewed([.lost]).isEmpty)
    }
}
