import Testing

@testable import LapseCommand

struct EnvironmentNamesTests {
    private let known: Set<String> = ["LAPSE_REDIS", "LAPSE_LEASE_TTL"]

    @Test func aMisspeltVariableIsRefusedWithWhatWasMeant() {
        let failure = #expect(throws: Failure.self) {
            try EnvironmentNames.check(["LAPSE_REDIS", "LAPSE_LEASE_TLL"], known: known)
        }
        #expect(failure?.code == .usage)
        #expect("\(failure.map { "\($0)" } ?? "")".contains("LAPSE_LEASE_TLL"))
        #expect("\(failure.map { "\($0)" } ?? "")".contains("Did you mean LAPSE_LEASE_TTL?"))
    }

    @Test("one that is near no option is another program's: it is told, and refuses nothing")
    func others() throws {
        var told: [String] = []
        try EnvironmentNames.check(["LAPSE_SOMETHING_ELSE_ENTIRELY"], known: known) { told.append($0) }
        #expect(told.count == 1 && told[0].contains("LAPSE_SOMETHING_ELSE_ENTIRELY"))
    }

    @Test(
        "What Kubernetes sets for a service named lapse is nobody's mistake",
        arguments: [
            "LAPSE_SERVICE_HOST", "LAPSE_SERVICE_PORT", "LAPSE_SERVICE_PORT_METRICS", "LAPSE_PORT",
            "LAPSE_PORT_9464_TCP",
            "LAPSE_PORT_9464_TCP_ADDR", "LAPSE_METRICS_SERVICE_HOST", "LAPSE_METRICS_PORT",
        ]) func strangers(name: String) throws
    {
        try EnvironmentNames.check([name, "LAPSE_REDIS"], known: known)
    }
}
