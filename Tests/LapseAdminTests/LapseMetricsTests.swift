import Lapse
import LapseAdmin
import Testing

/// The names that dashboards rely on, written out a second time on purpose.
@Suite struct LapseMetricsTests {
    private static let contract: [String: String] = [
        "lapse_leader": "gauge", "lapse_term": "gauge", "lapse_leadership_transitions_total{reason}": "counter",
        "lapse_lease_remaining_seconds": "gauge", "lapse_lease_renew_seconds": "histogram",
        "lapse_lease_registers{state}": "gauge", "lapse_failure_domains": "gauge",
        "lapse_subscription_up{node}": "gauge", "lapse_expirations_received_total{node}": "counter",
        "lapse_expirations_handled_total{origin}": "counter", "lapse_expirations_failed_total": "counter",
        "lapse_expirations_retried_total": "counter", "lapse_expirations_dead_lettered_total": "counter",
        "lapse_expirations_lost_total{node}": "counter", "lapse_expirations_repaired_total{node}": "counter",
        "lapse_expirations_surplus_total{node}": "counter", "lapse_expirations_unannounced_total{node}": "counter",
        "lapse_in_flight": "gauge",
        "lapse_log_entries{node}": "gauge", "lapse_log_bytes{node}": "gauge", "lapse_backlog{node}": "gauge",
        "lapse_backlog_age_seconds{node}": "gauge", "lapse_dead_letters": "gauge",
        "lapse_handler_seconds": "histogram",
        "lapse_ready": "gauge", "lapse_paused": "gauge", "lapse_build_info{version,commit}": "gauge",
        "lapse_lag_seconds": "histogram", "lapse_nudges_total{node}": "counter",
        "lapse_predicted_lag_seconds{node}": "gauge",
        "lapse_canary_age_seconds{node}": "gauge", "lapse_canary_lag_seconds{node}": "gauge",
        "lapse_canary_missing_total{node}": "counter",
        // What `--punctual track` keeps.
        "lapse_deadlines_kept{node}": "gauge", "lapse_deadlines_uncovered{node}": "gauge",
        // What becomes of the entries of a stream.
        "lapse_stream_appended_total": "counter", "lapse_stream_uncertain_total": "counter",
        "lapse_stream_refused_total": "counter", "lapse_stream_appended_again_total": "counter",
        "lapse_stream_lost_total{by}": "counter",
        "lapse_work_claimed_total": "counter", "lapse_work_deleted_total": "counter",
        // Beyond the contract: without it received = handled + pending + lost + ignored cannot be read.
        "lapse_expirations_ignored_total{node}": "counter",
        "lapse_account{node,state}": "gauge",
        // How far back the view of the servers lies.
        "lapse_topology_age_seconds": "gauge",
        // How reconciliation gets on.
        "lapse_reconcile_scanned_total": "counter", "lapse_reconcile_found_total": "counter",
    ]

    @Test func theContractIsKept() {
        let declared = LapseMetrics.all.map { metric in
            let labels = metric.labels.isEmpty ? "" : "{\(metric.labels.joined(separator: ","))}"
            return (metric.name + labels, metric.kind.rawValue)
        }
        #expect(Dictionary(declared) { first, _ in first } == Self.contract)
        #expect(declared.count == Self.contract.count)
    }

    @Test(arguments: LapseMetrics.all.map(\.name))
    func everyMetricExplainsItself(name: String) throws {
        let metric = try #require(LapseMetrics.all.first { $0.name == name })
        #expect(metric.help.hasSuffix("."))
        #expect(metric.name.hasSuffix("_total") == (metric.kind == .counter))
        #expect(metric.buckets.isEmpty == (metric.kind != .histogram))
        #expect(metric.buckets == metric.buckets.sorted())
    }
}
