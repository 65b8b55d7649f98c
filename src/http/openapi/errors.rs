//! The list of errors: as a page of `docs/`, and as the page that a problem's `type` leads to.

use strum::IntoEnumIterator as _;

use crate::domain::refusal::Code;

fn statuses(code: Code) -> String {
    code.statuses().iter().map(u16::to_string).collect::<Vec<_>>().join(", ")
}

fn retryable(code: Code) -> &'static str {
    if code.retryable() { "yes" } else { "no" }
}

/// `docs/ERRORS.md`.
pub fn markdown() -> String {
    let mut text = String::from(
        "# Errors\n\n\
         <!-- Made of src/domain/refusal.rs and src/domain/catalogue.rs by `columba openapi --errors`. -->\n\n\
         Every error is an `application/problem+json` (RFC 9457): `{type, title, status, detail, code, request_id, \
         retryable, errors?}`.\nPrograms switch on `code`, which never changes its meaning. `type` leads to the entry \
         below, which every server shows at\n`/docs/errors`. `retryable` says whether the very same request may succeed \
         later; then `Retry-After` says when.\n`request_id` finds the request in the server's log.\n\n\
         | code | status | retryable | what it means |\n|---|---|---|---|\n",
    );
    for code in Code::iter() {
        text.push_str(&format!(
            "| [`{code}`](#{code}) | {} | {} | {} |\n",
            statuses(code),
            retryable(code),
            code.title()
        ));
    }
    for code in Code::iter() {
        text.push_str(&format!(
            "\n## {code}\n\n{}. Status {}, retryable: {}.\n\n**When.** {}\n\n**What to do.** {}\n",
            code.title(),
            statuses(code),
            retryable(code),
            code.when(),
            code.remedy()
        ));
    }
    text
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}\
                     h2{border-top:1px solid #ccc;padding-top:1rem}h2:target{background:#fff3bf}\
                     code{font-family:ui-monospace,monospace}";

/// The same for a browser; it stands alone.
pub fn page() -> String {
    let mut text = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Columba: errors</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style>\
         <h1>Errors</h1><p>Switch on <code>code</code>. <a href=\"/docs/\">The API</a></p>"
    );
    for code in Code::iter() {
        text.push_str(&format!(
            "<h2 id=\"{code}\"><code>{code}</code></h2><p>{}. Status {}, retryable: {}.</p>\
             <p><b>When.</b> {}</p><p><b>What to do.</b> {}</p>",
            code.title(),
            statuses(code),
            retryable(code),
            marked(code.when()),
            marked(code.remedy())
        ));
    }
    text.push_str("</html>\n");
    text
}

/// What stands between back-ticks is code.
fn marked(text: &str) -> String {
    let safe = text.replace('&', "&amp;").replace('<', "&lt;");
    let mut parts = safe.split('`');
    let mut html = parts.next().unwrap_or_default().to_owned();
    for (index, part) in parts.enumerate() {
        html.push_str(if index % 2 == 0 { "<code>" } else { "</code>" });
        html.push_str(part);
    }
    html
}
