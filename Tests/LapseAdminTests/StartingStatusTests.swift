import Foundation
import LeaderElection
import Testing

@testable import Lapse
@testable import LapseAdmin

/// `/status` of a replica that has not reached Redis yet.
@Suite struct StartingStatusTests {
    private func object(_ data: Data) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    }

    @Test("every key is there, with null for what is not known")
    func everyKeyIsThere() throws {
        let processor = ExpirationProcessor(configuration: .init(name: "shop", id: "a")) { _, _ in }
        let starting = try object(Data(ProcessorAdminSource(processor).statusJSON()))
        let known = ProcessorStatus(
            name: "shop", id: "a", role: .following, isLeader: false, term: 1, token: 2, leader: "b",
            leaseRemaining: .zero, registers: .init(ok: 1), inFlight: 0, nodes: [], pause: nil, deadLetters: 3)
        #expect(Set(starting.keys) == Set(try object(try JSONEncoder().encode(known)).keys))
        #expect(starting["role"] as? String == "starting")
        #expect(starting["name"] as? String == "shop" && starting["id"] as? String == "a")
        #expect(starting["leader"] is NSNull && starting["isLeader"] as? Bool == false)
    }
}
