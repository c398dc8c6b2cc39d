import HummingbirdTesting
import LapseAdmin
import Metrics
import ServiceLifecycle
import Testing

@Suite(.timeLimit(.minutes(1))) struct AdminServerTests {
    @Test func aHealthyServiceAnswersEveryPage() async throws {
        try await RunningAdmin.run { admin in
            let ok = RunningAdmin.Page(status: 200, type: "text/plain; charset=utf-8", body: "ok\n")
            for path in ["/livez", "/readyz", "/readyz?verbose=1"] {
                let page = try await admin.get(path)
                #expect(page == ok)
            }
            let status = try await admin.get("/status")
            #expect(status == .init(status: 200, type: "application/json", body: #"{"role":"leader"}"#))
        }
    }

    @Test func anUnhealthyServiceSaysWhy() async throws {
        let source = StubSource(
            dead: "leader, but the lease ran out 3 s ago",
            unready: ["127.0.0.1:30001: not subscribed", "127.0.0.1:30002: notifications missing"])
        try await RunningAdmin.run(source) { admin in
            let live = try await admin.get("/livez")
            #expect(live.status == 503)
            #expect(live.body == "leader, but the lease ran out 3 s ago\n")
            let ready = try await admin.get("/readyz")
            #expect(ready.status == 503)
            #expect(ready.body == "127.0.0.1:30001: not subscribed\n127.0.0.1:30002: notifications missing\n")
        }
    }

    @Test func metricsAreRefreshedBeforeTheyAreShown() async throws {
        let registry = PrometheusRegistry()
        let lease = Gauge(label: "lapse_lease_remaining_seconds", factory: registry)
        var source = StubSource()
        source.refresh = { lease.record(2.5) }
        try await RunningAdmin.run(source, registry: registry) { admin in
            let page = try await admin.get("/metrics")
            #expect(page.status == 200)
            #expect(page.type == "text/plain; version=0.0.4; charset=utf-8")
            #expect(page.body.contains("\nlapse_lease_remaining_seconds 2.5\n"))
        }
    }

    @Test func headHasTheLengthAndNoBody() async throws {
        try await RunningAdmin.run { admin in
            let answer = try await admin.exchange("HEAD /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(answer.lowercased().contains("content-length: 3\r\n"))
            #expect(answer.hasSuffix("\r\n\r\n"))
        }
    }

    @Test(arguments: ["/index.html", "/livez/", "/admin", "/../status", "/STATUS", "//metrics"])
    func othersAreNotFound(path: String) async throws {
        try await RunningAdmin.run { admin in
            let page = try await admin.get(path)
            #expect(page.status == 404)
        }
    }

    @Test func onlyReadingIsAllowed() async throws {
        try await RunningAdmin.run { admin in
            let answer = try await admin.exchange("DELETE /status HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            #expect(answer.hasPrefix("HTTP/1.1 405 "))
            #expect(answer.lowercased().contains("allow: get, head\r\n"))
        }
    }

    /// No `Connection: close` in these: it is the server that must hang up, or the exchange would not end.
    @Test(arguments: [
        ("GET /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nx", "413"),
        ("GET /livez HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n", "413"),
        ("POST /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nx", "405"),
        ("GET /livez HTTP/1.1\r\nHost: a\r\nX-Long: \(String(repeating: "x", count: 9000))\r\n\r\n", "400"),
        (
            "GET /livez HTTP/1.1\r\nHost: a\r\n\(String(repeating: "X-Many: x\r\n", count: 65))\r\n",
            "400"
        ),
        ("nonsense\r\n\r\n", "400"),
    ])
    func oversizedRequestsAreRefusedAndCutOff(request: String, status: String) async throws {
        try await RunningAdmin.run { admin in
            let answer = try await admin.exchange(request)
            #expect(answer.hasPrefix("HTTP/1.1 \(status) "), "\(answer)")
            // And the next one is served.
            let page = try await admin.get("/livez")
            #expect(page.status == 200)
        }
    }

    @Test func listensOnIPv6() async throws {
        try await RunningAdmin.run(host: "::1") { admin in
            let page = try await admin.get("/livez")
            #expect(page.status == 200)
        }
    }

    @Test func aTakenPortIsNamedInOneLine() async throws {
        try await RunningAdmin.run { admin in
            let second = AdminServer(
                address: .listen(host: "127.0.0.1", port: admin.port), source: StubSource(),
                registry: PrometheusRegistry(), logger: .silent)
            let error = await #expect(throws: AdminServer.CannotListen.self) { try await second.run() }
            #expect(
                error?.description == "admin port 127.0.0.1:\(admin.port) is already in use: "
                    + "choose another with --admin HOST:PORT or --admin off")
        }
    }

    @Test(arguments: [("192.0.2.1", "no such address"), ("host.invalid", "no such host")])
    func anImpossibleHostIsNamedInOneLine(host: String, reason: String) async throws {
        let server = AdminServer(
            address: .listen(host: host, port: 0), source: StubSource(), registry: PrometheusRegistry(),
            logger: .silent)
        let error = await #expect(throws: AdminServer.CannotListen.self) { try await server.run() }
        #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
        #expect(error?.description.contains("\n") == false)
    }

    @Test func offRunsUntilItIsStopped() async throws {
        let server = AdminServer(
            address: .off, source: StubSource(), registry: PrometheusRegistry(), logger: .silent)
        struct Brief: Service {
            func run() async throws {}
        }
        let group = ServiceGroup(
            configuration: .init(
                services: [
                    .init(service: server),
                    // It ends as soon as all have started, and stops the others.
                    .init(service: Brief(), successTerminationBehavior: .gracefullyShutdownGroup),
                ], logger: .silent))
        try await group.run()
    }
}
