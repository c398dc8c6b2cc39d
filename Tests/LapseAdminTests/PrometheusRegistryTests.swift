import Lapse
import LapseAdmin
import Metrics
import Testing

@Suite struct PrometheusRegistryTests {
    private static let declarations: [MetricDeclaration] = [
        .counter("handled_total", by: "origin", of: ["takeover", "live"], "Handled,\nby \"origin\" \\ cause."),
        .counter("lost_total", by: "node", "Lost."),
        .gauge("leader", "1 while leading."),
        .gauge("up", by: "node", "1 while subscribed."),
        .histogram("work_seconds", buckets: [0.25, 1], "Work."),
    ]

    private let registry = PrometheusRegistry(Self.declarations)

    @Test("declared counters and histograms stand at zero before any value; gauges wait for their maker")
    func declaredMetricsStandAtZeroBeforeAnyValue() {
        #expect(
            registry.render() == #"""
                # HELP handled_total Handled,\nby "origin" \\ cause.
                # TYPE handled_total counter
                handled_total{origin="live"} 0
                handled_total{origin="takeover"} 0
                # HELP work_seconds Work.
                # TYPE work_seconds histogram
                work_seconds_bucket{le="0.25"} 0
                work_seconds_bucket{le="1"} 0
                work_seconds_bucket{le="+Inf"} 0
                work_seconds_sum 0
                work_seconds_count 0

                """#)
    }

    @Test func everyKindIsRendered() {
        Counter(label: "handled_total", dimensions: [("origin", "live")], factory: registry).increment(by: 3)
        Gauge(label: "leader", factory: registry).record(1)
        Meter(label: "up", dimensions: [("node", "b")], factory: registry).set(0.5)
        let meter = Meter(label: "up", dimensions: [("node", "a")], factory: registry)
        meter.increment(by: 2)
        meter.decrement(by: 0.75)
        let timer = Metrics.Timer(label: "work_seconds", factory: registry)
        timer.recordNanoseconds(250_000_000)
        timer.recordMilliseconds(750)
        timer.recordSeconds(2)
        #expect(
            registry.render() == #"""
                # HELP handled_total Handled,\nby "origin" \\ cause.
                # TYPE handled_total counter
                handled_total{origin="live"} 3
                handled_total{origin="takeover"} 0
                # HELP leader 1 while leading.
                # TYPE leader gauge
                leader 1
                # HELP up 1 while subscribed.
                # TYPE up gauge
                up{node="a"} 1.25
                up{node="b"} 0.5
                # HELP work_seconds Work.
                # TYPE work_seconds histogram
                work_seconds_bucket{le="0.25"} 1
                work_seconds_bucket{le="1"} 2
                work_seconds_bucket{le="+Inf"} 3
                work_seconds_sum 3
                work_seconds_count 3

                """#)
    }

    @Test func labelsInAnyOrderAreOneSeries() {
        let registry = PrometheusRegistry([])
        Counter(label: "c", dimensions: [("b", "2"), ("a", "1")], factory: registry).increment()
        Counter(label: "c", dimensions: [("a", "1"), ("b", "2")], factory: registry).increment()
        Counter(label: "c", dimensions: [("a", "1"), ("b", "2"), ("empty", "")], factory: registry).increment()
        Counter(label: "c", dimensions: [("a", "0"), ("b", "2"), ("a", "1")], factory: registry).increment()
        #expect(registry.render() == "# TYPE c counter\nc{a=\"1\",b=\"2\"} 4\n")
    }

    @Test(arguments: [
        ("plain", "n", #"n="plain""#),
        (#"quote " and \ slash"#, "n", #"n="quote \" and \\ slash""#),
        ("two\nlines", "n", #"n="two\nlines""#),
        ("cr\r\nlf", "n", "n=\"cr\r\\nlf\""),
        (#"a",b="c"#, "n", #"n="a\",b=\"c""#),
        ("größe ⏱", "n", #"n="größe ⏱""#),
        ("v", "http.route-name", #"http_route_name="v""#),
        ("v", "1st", #"_1st="v""#),
        ("v", "le", #"exported_le="v""#),
        ("v", "größe", #"gr__e="v""#),
        ("v", "", #"_="v""#),
    ])
    func weirdLabels(value: String, name: String, printed: String) {
        let registry = PrometheusRegistry([])
        Counter(label: "c", dimensions: [(name, value)], factory: registry).increment()
        #expect(registry.render() == "# TYPE c counter\nc{\(printed)} 1\n")
    }

    @Test func namesOfOtherLibrariesAreMadeLegal() {
        let registry = PrometheusRegistry([])
        Counter(label: "hb.requests-total", factory: registry).increment()
        Metrics.Timer(label: "hb.request.duration", factory: registry).recordSeconds(1)
        let text = registry.render()
        #expect(text.contains("\nhb_requests_total 1\n"))
        #expect(text.contains("\nhb_request_duration_seconds_sum 1\n"))
    }

    @Test func countersNeverFall() {
        let registry = PrometheusRegistry([])
        let whole = Counter(label: "whole", factory: registry)
        whole.increment(by: 5)
        whole.increment(by: -3)
        whole.increment(by: 0)
        let exact = Counter(label: "exact", factory: registry)
        exact.increment(by: Int64(9_007_199_254_740_993))
        // The handler itself: the front end would round to integers for a backend without fractions.
        let fractional = registry.makeFloatingPointCounter(label: "fractional", dimensions: [])
        for amount in [0.5, -1, .nan, .infinity, -.infinity, 1.25] { fractional.increment(by: amount) }
        let text = registry.render()
        #expect(text.contains("\nwhole 5\n"))
        #expect(text.contains("\nexact 9007199254740993\n"))
        #expect(text.contains("\nfractional 1.75\n"))
        whole.reset()
        #expect(registry.render().contains("\nwhole 0\n"))
    }

    @Test(arguments: [
        (Double.nan, "NaN"), (.infinity, "+Inf"), (-.infinity, "-Inf"), (-0.0, "0"), (1e300, "1e+300"), (-2.5, "-2.5"),
        (1_721_000_000_000, "1721000000000"), (0.00001, "1e-05"),
    ])
    func gaugesTakeAnyNumber(value: Double, printed: String) {
        let registry = PrometheusRegistry([])
        Gauge(label: "g", factory: registry).record(value)
        #expect(registry.render() == "# TYPE g gauge\ng \(printed)\n")
    }

    @Test func histogramsKeepNumbersOnly() {
        let recorder = Recorder(label: "work_seconds", factory: registry)
        for value in [Double.nan, .infinity, -.infinity, 0.5, 1, 1.0000001, -0.25] { recorder.record(value) }
        let text = registry.render()
        #expect(text.contains("work_seconds_bucket{le=\"0.25\"} 1\n"))
        #expect(text.contains("work_seconds_bucket{le=\"1\"} 3\n"))
        #expect(text.contains("work_seconds_bucket{le=\"+Inf\"} 4\n"))
        #expect(text.contains("work_seconds_count 4\n"))
        #expect(!text.contains("NaN"))
    }

    @Test func aNameOfTwoKindsKeepsTheFirstAndSaysSo() {
        Gauge(label: "leader", factory: registry).record(1)
        Recorder(label: "leader", factory: registry).record(7)
        Counter(label: "leader", factory: registry).increment()
        let text = registry.render()
        #expect(text.contains("# leader is a gauge, but was also asked for as a counter\n"))
        #expect(text.contains("# leader is a gauge, but was also asked for as a histogram\n"))
        #expect(text.contains("\n# TYPE leader gauge\nleader 1\n"))
    }

    @Test func aNodeIsPreparedAndForgotten() {
        registry.prepare(label: "node", value: "127.0.0.1:30001")
        #expect(registry.render().contains("lost_total{node=\"127.0.0.1:30001\"} 0\n"))
        #expect(!registry.render().contains("\nup{"))
        Gauge(label: "up", dimensions: [("node", "127.0.0.1:30001")], factory: registry).record(1)
        Gauge(label: "up", dimensions: [("node", "127.0.0.1:30002")], factory: registry).record(1)
        registry.forget(label: "node", value: "127.0.0.1:30001")
        let text = registry.render()
        #expect(!text.contains("30001"))
        #expect(!text.contains("lost_total"))
        #expect(text.contains("up{node=\"127.0.0.1:30002\"} 1\n"))
    }

    @Test func destroyingRemovesTheSeries() {
        let registry = PrometheusRegistry([])
        let counter = Counter(label: "c", factory: registry)
        let gauge = Gauge(label: "g", factory: registry)
        let timer = Metrics.Timer(label: "t", factory: registry)
        counter.destroy()
        gauge.destroy()
        timer.destroy()
        #expect(registry.render().isEmpty)
    }

    @Test func concurrentWritesAddUp() async {
        let registry = PrometheusRegistry([.histogram("h", buckets: [1], "")])
        let tasks = 8
        let rounds = 20_000
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<tasks {
                group.addTask {
                    // Each task makes its own: the registry must hand all of them the same series.
                    let counter = Counter(label: "c", dimensions: [("a", "1")], factory: registry)
                    let fractional = registry.makeFloatingPointCounter(label: "f", dimensions: [])
                    let meter = Meter(label: "m", factory: registry)
                    let recorder = Recorder(label: "h", factory: registry)
                    for round in 0..<rounds {
                        counter.increment()
                        fractional.increment(by: 0.5)
                        meter.increment()
                        recorder.record(round.isMultiple(of: 2) ? 1 : 2)
                        if round.isMultiple(of: 5000) { _ = registry.render() }
                    }
                }
            }
        }
        let total = tasks * rounds
        let text = registry.render()
        #expect(text.contains("\nc{a=\"1\"} \(total)\n"))
        #expect(text.contains("\nf \(total / 2)\n"))
        #expect(text.contains("\nm \(total)\n"))
        #expect(text.contains("h_bucket{le=\"1\"} \(total / 2)\n"))
        #expect(text.contains("h_sum \(total / 2 * 3)\n"))
        #expect(text.contains("h_count \(total)\n"))
    }
}
