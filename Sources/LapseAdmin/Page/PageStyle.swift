enum PageStyle {
    /// System fonts and both colour schemes; a state is a word and a sign, its colour only an addition.
    static let text = """
        :root { color-scheme: light dark; --back: #f7f7f5; --card: #fff; --text: #1c1d1f; --soft: #5c6066; --line: #d9dadc;
          --good: #1a6b38; --bad: #a8201a; --warn: #7a4d00; --a: #1f5fbf; --b: #8a5a00; --c: #8e2a86; --d: #a8201a; }
        @media (prefers-color-scheme: dark) { :root { --back: #141517; --card: #1d1f22; --text: #e9eaec; --soft: #a4a9b0;
          --line: #373a3f; --good: #6fce92; --bad: #ff8f88; --warn: #f0b95c; --a: #7db1ff; --b: #e6b450; --c: #e295dc; --d: #ff8f88; } }
        * { box-sizing: border-box; }
        body { margin: 0; background: var(--back); color: var(--text); font: 15px/1.45 system-ui, sans-serif; }
        header, main { max-width: 1440px; margin: 0 auto; padding: 0 16px; }
        header { display: flex; flex-wrap: wrap; align-items: baseline; justify-content: space-between; gap: 0 24px; padding-top: 14px; }
        h1 { font-size: 20px; margin: 0; } h1 span { font-weight: 400; overflow-wrap: anywhere; }
        h2 { font-size: 15px; margin: 0 0 6px; } h2 small { font-weight: 400; color: var(--soft); }
        p { margin: 0; } #asked { color: var(--soft); overflow-wrap: anywhere; }
        section { margin: 16px 0; min-width: 0; }
        .lead { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 12px 16px; display: flex;
          flex-wrap: wrap; gap: 4px 32px; align-items: center; justify-content: space-between; }
        #leader { font-size: 18px; overflow-wrap: anywhere; } #lease-line { font-variant-numeric: tabular-nums; }
        meter { width: 120px; vertical-align: middle; }
        #alarm, #pause, #troubles { margin: 12px 0 0; padding: 8px 12px; border: 1px solid; border-left-width: 6px; border-radius: 6px;
          background: var(--card); overflow-wrap: anywhere; list-style: none; }
        #alarm, #troubles { border-color: var(--bad); color: var(--bad); } #pause { border-color: var(--warn); color: var(--warn); }
        [hidden] { display: none !important; }
        .plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 380px), 1fr)); gap: 16px; }
        figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 10px 12px; min-width: 0; }
        figcaption { font-weight: 600; } svg { width: 100%; height: 170px; display: block; }
        svg text { fill: var(--soft); font: 11px system-ui, sans-serif; } svg .grid { stroke: var(--line); }
        svg path { fill: none; stroke-width: 1.75; vector-effect: non-scaling-stroke; stroke-linejoin: round; }
        .now { color: var(--soft); font-variant-numeric: tabular-nums; min-height: 1.45em; }
        .s0 { stroke: var(--a); } .s1 { stroke: var(--b); stroke-dasharray: 7 3; } .s2 { stroke: var(--c); stroke-dasharray: 2 3; }
        .s3 { stroke: var(--d); stroke-dasharray: 10 3 2 3; }
        .bar { display: flex; flex-wrap: wrap; justify-content: space-between; align-items: end; gap: 8px; margin-bottom: 6px; }
        label { color: var(--soft); } input { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--soft);
          border-radius: 5px; padding: 2px 8px; width: 170px; }
        .scroll { overflow: auto; max-height: 70vh; background: var(--card); border: 1px solid var(--line); border-radius: 8px; }
        table { border-collapse: separate; border-spacing: 0; width: 100%; font-variant-numeric: tabular-nums; }
        th, td { text-align: left; padding: 5px 10px; white-space: nowrap; border-bottom: 1px solid var(--line); }
        tbody tr:last-child td { border-bottom: 0; }
        thead th { position: sticky; top: 0; background: var(--card); color: var(--soft); font-weight: 600;
          box-shadow: inset 0 -1px var(--line); border-bottom: 0; }
        .n { text-align: right; } td.wrap { white-space: normal; min-width: 280px; overflow-wrap: anywhere; font-weight: 400; }
        th:first-child, td:first-child { position: sticky; left: 0; background: var(--card); } thead th:first-child { z-index: 1; }
        .good { color: var(--good); } .bad { color: var(--bad); font-weight: 600; } .warn { color: var(--warn); font-weight: 600; }
        .lists { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 290px), 1fr)); gap: 16px; }
        .lists > div { min-width: 0; } ol { list-style: none; margin: 0; padding: 4px 12px; background: var(--card);
          border: 1px solid var(--line); border-radius: 8px; }
        ol li { padding: 5px 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; } ol li:last-child { border-bottom: 0; }
        li time, li .what { color: var(--soft); font-size: 13px; font-variant-numeric: tabular-nums; } li b { font-weight: 600; }
        li .what { display: block; } .none { color: var(--soft); }
        .skip { position: absolute; left: -999px; } .skip:focus { left: 16px; top: 8px; background: var(--card); padding: 6px; }
        :focus-visible { outline: 3px solid var(--a); outline-offset: 1px; }
        @media (max-width: 560px) { th, td { padding: 4px 8px; } #leader { font-size: 16px; } svg { height: 140px; } }
        """
}
