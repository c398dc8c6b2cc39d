enum PageScript {
    /// Sets what it is told as text. Rows stay where they are, so that a selection, the focus and a
    /// reader's place outlive a second.
    static let text = #"""
        "use strict";
        const $ = id => document.getElementById(id);
        const put = (node, text) => { text = String(text); if (node.textContent !== text) node.textContent = text; };
        const count = n => n == null ? "–" : Number(n).toLocaleString("en");
        const span = s => {
          if (s == null) return "–";
          if (s < 1) return Math.round(s * 1000) + " ms";
          if (s < 60) return (s < 10 ? s.toFixed(1) : Math.round(s)) + " s";
          const parts = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
          const first = parts.findIndex(p => s >= p[0]);
          return parts.slice(first, first + 2).map((p, i) =>
            Math.floor(i ? (s % parts[first][0]) / p[0] : s / p[0]) + " " + p[1]).join(" ");
        };
        const clock = ms => new Date(ms).toISOString().slice(11, 19);
        const fill = (body, list, key, cells) => {
          const old = new Map([...body.children].map(row => [row.dataset.key, row]));
          const used = new Set();
          let at = body.firstChild;
          for (const item of list) {
            const name = key(item);
            let row = old.get(name);
            old.delete(name);
            if (!row) { row = document.createElement("tr"); row.dataset.key = name; }
            cells(item).forEach(([text, style], i) => {
              const cell = row.children[i] || row.appendChild(document.createElement("td"));
              put(cell, text);
              if (cell.className !== (style || "")) cell.className = style || "";
            });
            used.add(row);
            if (row === at) at = at.nextSibling; else body.insertBefore(row, at);
          }
          for (const row of [...body.children]) if (!used.has(row)) row.remove();
        };
        const feeds = { subscribed: ["✓ subscribed", "good"], silent: ["! does not answer", "warn"], down: ["✗ not subscribed", "bad"] };
        const trouble = n => (n.feed !== "subscribed" || n.error ? 0 : 2) + (n.role === "master" ? 0 : 1);
        const place = a => a.address.replace(/\d+/g, d => d.padStart(6, "0"));
        let nodes = [];
        const showNodes = () => {
          const wanted = $("filter").value.toLowerCase();
          const shown = nodes.filter(n => (n.address + " " + n.role + " " + n.feed).toLowerCase().includes(wanted));
          put($("nodes-title"), "Nodes (" + (shown.length < nodes.length ? shown.length + " of " : "") + nodes.length + ")");
          fill($("node-rows"), shown, n => n.address, n => {
            const [feed, style] = feeds[n.feed] || [n.feed, ""];
            const a = n.account || {};
            return [[n.address], [n.role], [n.error ? feed + ": " + n.error : feed, style + (n.error ? " wrap" : "")],
              [count(n.position), "n"], [count(n.backlog), "n"], [n.waitsFor == null ? "–" : span(n.waitsFor / 1000), "n"],
              [count(a.announced), "n"], [count(a.handled), "n"], [count(a.pending), "n"],
              [count(a.deadLettered), a.deadLettered ? "n warn" : "n"],
              [a.lost ? "✗ " + count(a.lost) : count(a.lost), a.lost ? "n bad" : "n"], [count(a.ignored), "n"]];
          });
        };
        const signs = { failed: "✗ ", gap: "! " };
        const showList = (kind, events, none) => {
          const list = $(kind);
          const made = events.map(e => {
            const item = document.createElement("li"), time = document.createElement("time");
            const what = document.createElement("span"), subject = document.createElement("b");
            time.textContent = clock(e.at) + " ";
            time.dateTime = new Date(e.at).toISOString();
            subject.textContent = (signs[kind] || "") + e.subject;
            what.className = "what";
            what.textContent = e.detail + (e.node ? " · " + e.node : "");
            item.append(time, subject, what);
            return item;
          });
          if (!made.length) {
            const item = document.createElement("li");
            item.className = "none";
            item.textContent = none;
            made.push(item);
          }
          if ([...list.children].map(x => x.textContent).join("\n") !== made.map(x => x.textContent).join("\n"))
            list.replaceChildren(...made);
        };
        const show = v => {
          put($("name"), "· " + v.name);
          document.title = (v.leader ? v.leader + " leads" : "no leader") + " · " + v.name + " · Lapse";
          put($("asked"), "told by replica " + v.id + " (" + v.role + "), version " + v.version + ", " + clock(v.now) + " UTC");
          const since = v.since ? ", since " + new Date(v.since).toISOString().slice(0, 19).replace("T", " ") + " UTC ("
            + span(Math.max(0, (v.now - v.since) / 1000)) + ")" : "";
          put($("leader"), v.leader ? v.leader + " leads" + (v.term ? ", term " + v.term : "") + since : "✗ No replica leads");
          $("leader").className = v.leader ? "" : "bad";
          $("lease-line").hidden = v.leader == null || v.leaseLeft == null;
          $("lease").value = Math.min(1, (v.leaseLeft || 0) / v.leaseLength);
          put($("lease-text"), "lease " + (v.leaseLeft || 0).toFixed(1) + " of " + v.leaseLength + " s left");
          $("pause").hidden = !v.pause;
          if (v.pause) put($("pause"), "‖ Paused by " + v.pause.author + ": nothing is handed out for another "
            + span(Math.ceil(v.pause.remainingSeconds)) + " (lapse resume ends it)");
          $("troubles").hidden = !v.troubles.length;
          const lines = v.troubles.slice(0, 8).concat(v.troubles.length > 8 ? ["and " + (v.troubles.length - 8) + " more"] : []);
          if ([...$("troubles").children].map(x => x.textContent).join("\n") !== lines.map(x => "✗ " + x).join("\n"))
            $("troubles").replaceChildren(...lines.map(x => {
              const item = document.createElement("li"); item.textContent = "✗ " + x; return item; }));
          nodes = v.nodes.sort((a, b) => trouble(a) - trouble(b) || (place(a) < place(b) ? -1 : 1));
          showNodes();
          fill($("replica-rows"), v.replicas, (r) => r.id, r => [[r.id + (r.id === v.id ? " (this one)" : "")],
            [r.leads ? "★ leader" : "follower"], [r.version || "–"],
            [r.leads ? "–" : count(r.behind), r.behind ? "n warn" : "n"]]);
          const leads = v.role === "leading" || v.role === "suspect";
          for (const whose of document.getElementsByClassName("whose")) put(whose, v.id);
          put($("rate-title"), leads || !v.leader ? "Handled here per second" : "Handled per second by " + v.leader + ", as its progress tells");
          put($("delay-title"), leads || !v.leader ? "From heard to handled, milliseconds"
            : "From heard to handled, milliseconds: only the page of " + v.leader + " has it");
          const elsewhere = v.leader ? "none here: the page of " + v.leader + " shows them" : "none: no replica leads";
          showList("handled", v.recent.handled || [], leads ? "none yet" : elsewhere);
          showList("failed", v.recent.failed || [], "none since this replica began");
          showList("gap", v.recent.gap || [], "none since this replica began");
          showList("leadership", v.recent.leadership || [], "nothing yet");
        };
        let heard = Date.now();
        const points = [];
        const source = new EventSource("events");
        source.addEventListener("past", e => { points.splice(0, points.length, ...JSON.parse(e.data).points); plot(); });
        source.addEventListener("tick", e => {
          heard = Date.now();
          const { point, view } = JSON.parse(e.data);
          if (point) { points.push(point); if (points.length > 300) points.shift(); }
          if (view) show(view);
          plot();
        });
        setInterval(() => {
          const late = Date.now() - heard > 5000;
          if (late) put($("alarm"), "✗ No word from this replica since " + clock(heard) + " UTC: what stands here is old.");
          $("alarm").hidden = !late;
        }, 1000);
        $("filter").addEventListener("input", showNodes);
        addEventListener("keydown", e => {
          if (e.key === "/" && document.activeElement !== $("filter")) { e.preventDefault(); $("filter").focus(); }
          if (e.key === "Escape" && document.activeElement === $("filter")) { $("filter").value = ""; showNodes(); }
        });
        addEventListener("resize", () => plot());

        """#

    /// Two plots of the last minutes.
    static let plots = #"""
        const svg = (name, attributes, text) => {
          const node = document.createElementNS("http://www.w3.org/2000/svg", name);
          for (const key in attributes) node.setAttribute(key, attributes[key]);
          if (text != null) node.textContent = text;
          return node;
        };
        const names = ["p50", "p90", "p99", "p99.9"];
        const short = n => n >= 1e6 ? n / 1e6 + "M" : n >= 1e3 ? n / 1e3 + "k" : String(n);
        const nice = n => { const p = 10 ** Math.floor(Math.log10(Math.max(n, 1))); return [1, 2, 5, 10].map(x => x * p).find(x => x >= n) || 1; };
        const draw = (chart, marks, y, series) => {
          const width = chart.clientWidth || 400, height = chart.clientHeight || 170;
          const left = 44, right = series.length > 1 ? 44 : 8, bottom = 18, top = 8;
          chart.setAttribute("viewBox", "0 0 " + width + " " + height);
          const parts = [];
          const x = i => left + (width - left - right) * (300 - points.length + i) / 299;
          const up = f => top + (height - top - bottom) * (1 - f);
          for (const [value, label] of marks) {
            parts.push(svg("line", { class: "grid", x1: left, x2: width - right, y1: up(y(value)), y2: up(y(value)) }));
            parts.push(svg("text", { x: left - 6, y: up(y(value)) + 4, "text-anchor": "end" }, label));
          }
          for (let m = 0; m <= 5; m += width < 450 ? 2 : 1)
            parts.push(svg("text", { x: left + (width - left - right) * (1 - m / 5), y: height - 4,
              "text-anchor": m === 0 ? "end" : m === 5 ? "start" : "middle" }, m ? "−" + m + " min" : "now"));
          const labels = [];
          series.forEach((of, s) => {
            let path = "", pen = false, last = null;
            points.forEach((p, i) => {
              const value = of(p);
              if (value == null) { pen = false; return; }
              const at = x(i).toFixed(1) + " " + up(y(value)).toFixed(1);
              path += (pen ? "L" : "M") + at + (pen ? "" : "h.1");
              pen = true;
              last = value;
            });
            parts.push(svg("path", { class: "s" + s, d: path }));
            if (series.length > 1 && last != null) labels.push([up(y(last)), names[s]]);
          });
          // Labels that would lie on each other move apart.
          labels.sort((a, b) => b[0] - a[0]);
          let floor = height - bottom + 12;
          for (const [at, name] of labels) {
            floor = Math.min(at + 4, floor - 12);
            parts.push(svg("text", { x: width - right + 4, y: floor }, name));
          }
          chart.replaceChildren(...parts);
        };
        const plot = () => {
          const most = nice(Math.max(1, ...points.map(p => p.handled)));
          draw($("rate"), [0, 0.5, 1].map(f => [f * most, short(f * most)]), v => v / most, [p => p.handled]);
          const all = points.flatMap(p => p.delays || []);
          const top = Math.max(2, Math.ceil(Math.log10(Math.max(1, ...all))));
          const marks = [...Array(top + 1).keys()].map(e => [10 ** e, short(10 ** e)]);
          draw($("delay"), marks, v => Math.log10(Math.max(1, v)) / top,
            [0, 1, 2, 3].map(s => p => p.delays ? p.delays[s] : null));
          const last = points[points.length - 1];
          if (!last) return;
          put($("rate-now"), count(last.handled) + " in the last second, " + count(points.reduce((n, p) => n + p.handled, 0))
            + " in the time shown" + (last.failed ? ", " + count(last.failed) + " failed attempts" : ""));
          const known = [...points].reverse().find(p => p.delays);
          put($("delay-now"), known ? names.map((n, i) => n + " < " + span(known.delays[i] / 1000)).join(" · ")
            + (known === last ? "" : " (" + clock(known.at) + " UTC)") : "nothing was handled here in the time shown");
        };
        plot();
        """#
}
