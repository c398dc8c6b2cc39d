import LeaderElection
import NIOCore
import Testing

@testable import LeaderElectionEtcd

/// What etcd's gateway says to a client certificate with a CommonName, while etcd's authentication is
/// on (3.4, 3.5).
@Suite struct EtcdRefusalTests {
    @Test(arguments: [400, 401])
    func aCommonNameIsRefusedWithTheRemedy(status: Int) {
        let text = "CommonName of client sending a request against gateway will be ignored and not used as expected\n"
        let failure = EtcdAnswer(status: status, body: ByteBuffer(string: text)).failure(at: "a:1")
        #expect(!failure.blamesEndpoint, "every member says the same")
        guard let reason = RegisterError(failure).detail(of: .denied) else {
            Issue.record("\(failure)")
            return
        }
        #expect(reason.hasPrefix("a:1: ") && reason.contains("without a CommonName"))
        #expect(reason.contains("--store-password-file"))
    }
}
