/// The page at `/`: one document, which shows what it is told by ``PageFeed``. All that comes from
/// outside is set as text, never as markup.
enum PageDocument {
    static func text(nonce: String) -> String {
        """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <title>Lapse</title>
        <link rel="icon" href="data:,">
        <style nonce="\(nonce)">\(PageStyle.text)</style>
        </head>
        <body>
        \(body)
        <script nonce="\(nonce)">\(PageScript.text)\(PageScript.plots)</script>
        </body>
        </html>

        """
    }

    private static let body = """
        <a class="skip" href="#nodes">Skip to the nodes</a>
        <header>
          <h1>Lapse <span id="name"></span></h1>
          <p id="asked"></p>
        </header>
        <main>
          <p id="alarm" role="alert" hidden></p>
          <p id="pause" role="status" hidden></p>
          <ul id="troubles" hidden></ul>
          <section class="lead" aria-label="Leader">
            <p id="leader">waiting for the first word…</p>
            <p id="lease-line"><meter id="lease" min="0" max="1" value="0" aria-label="lease left"></meter> <span id="lease-text"></span></p>
          </section>
          <section class="plots">
            <figure><figcaption id="rate-title">Handled here per second</figcaption>
              <svg id="rate" role="img" aria-labelledby="rate-title rate-now" preserveAspectRatio="none"></svg>
              <p id="rate-now" class="now"></p></figure>
            <figure><figcaption id="delay-title">From heard to handled, milliseconds</figcaption>
              <svg id="delay" role="img" aria-labelledby="delay-title delay-now" preserveAspectRatio="none"></svg>
              <p id="delay-now" class="now"></p></figure>
          </section>
          <section aria-labelledby="nodes-title" id="nodes">
            <div class="bar"><h2 id="nodes-title">Nodes</h2>
              <label>Filter <input id="filter" type="search" autocomplete="off" spellcheck="false"></label></div>
            <div class="scroll" tabindex="0" role="region" aria-labelledby="nodes-title">
            <table><thead><tr>
              <th scope="col">Node</th><th scope="col">Role</th><th scope="col">Feed</th><th scope="col" class="n">Position</th>
              <th scope="col" class="n">Backlog</th><th scope="col" class="n">Oldest waits</th><th scope="col" class="n">Announced</th>
              <th scope="col" class="n">Handled</th><th scope="col" class="n">Pending</th><th scope="col" class="n">Dead letters</th>
              <th scope="col" class="n">Lost</th><th scope="col" class="n">Ignored</th>
            </tr></thead><tbody id="node-rows"></tbody></table></div>
          </section>
          <section aria-labelledby="replicas-title">
            <h2 id="replicas-title">Replicas</h2>
            <div class="scroll" tabindex="0" role="region" aria-labelledby="replicas-title">
            <table><thead><tr><th scope="col">Replica</th><th scope="col">Role</th><th scope="col">Version</th>
              <th scope="col" class="n">Behind the leader</th></tr></thead><tbody id="replica-rows"></tbody></table></div>
          </section>
          <section class="lists">
            <div><h2>Expirations <small>samples, handled by <span class="whose"></span></small></h2><ol id="handled"></ol></div>
            <div><h2>Failed attempts <small>of <span class="whose"></span></small></h2><ol id="failed"></ol></div>
            <div><h2>Gaps <small>told by <span class="whose"></span></small></h2><ol id="gap"></ol></div>
            <div><h2>Leadership</h2><ol id="leadership"></ol></div>
          </section>
        </main>
        """
}
