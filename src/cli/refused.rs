//! What a refusal means to whoever typed the command, and what to do next. Decisions only.

use reqwest::Method;
use serde_json::Value;

use super::exit::{Exit, Failure};
use super::screen::one_line;
use super::target::As;

/// The call that was refused.
#[derive(Debug)]
pub struct Asked<'a> {
    /// On whose behalf.
    pub who: As,
    /// Which path.
    pub path: &'a str,
    /// How.
    pub method: &'a Method,
    /// Where the token or key came from.
    pub credential: &'a str,
    /// Seconds to wait, as the server said.
    pub retry_after: Option<&'a str>,
}

/// Begins of a path's part, and the command that lists what they name.
const LISTS: [(&str, &str); 7] = [
    ("msg_", "columba message list"),
    ("ses_", "columba session list"),
    ("key_", "columba key list --tenant ten_…"),
    ("ten_", "columba tenant list"),
    ("whk_", "columba webhook list"),
    ("dlv_", "columba webhook deliveries whk_…"),
    ("opr_", "columba operator list"),
];

/// A refusal as a failure of the command.
pub fn refused(document: &Value, asked: &Asked<'_>) -> Failure {
    let text = |field: &str| document[field].as_str().map(one_line).unwrap_or_default();
    let (code, detail) = (text("code"), text("detail"));
    let exit = exit_of(document["status"].as_u64().unwrap_or_default(), &code);
    let fault = |fault: &Value| {
        let part = |field: &str| fault[field].as_str().map(one_line).unwrap_or_default();
        format!("{}: {}", part("pointer"), part("detail"))
    };
    let faults: Vec<String> = document["errors"].as_array().into_iter().flatten().map(fault).collect();
    // One fault is what the sentence already says.
    let faults = if faults.len() == 1 && detail == faults[0] { vec![] } else { faults };
    let is_of_plan = document["errors"][0]["pointer"] == "/plan";
    let plans = || is_of_plan.then(|| "which codes there are: columba plan list".to_owned());
    let next = next(&code, asked).or_else(plans);
    Failure { exit, detail, faults, next, document: Some(Box::new(document.clone())), code }
}

fn exit_of(status: u64, code: &str) -> Exit {
    match (status, code) {
        (401 | 403, _) => Exit::Forbidden,
        (404, _) => Exit::Absent,
        (_, "idempotency_in_flight") | (402 | 429, _) => Exit::Later,
        (409, _) => Exit::No,
        (400..500, _) => Exit::Data,
        _ => Exit::Unavailable,
    }
}

fn next(code: &str, asked: &Asked<'_>) -> Option<String> {
    let Asked { who, path, method, credential, retry_after } = *asked;
    let session = path.split('/').find(|part| part.starts_with("ses_")).unwrap_or("ses_…");
    Some(match (code, who) {
        ("unauthorized", As::Operator | As::OnBehalf(_)) => format!(
            "the token came from {credential}; the server's own is in operator.token in its data directory: point \
             --data there, or give it as --token or COLUMBA_TOKEN"
        ),
        ("unauthorized", As::Tenant) => format!(
            "the key came from {credential}; it may be revoked, expired or of another server: the operator lists \
             them with `columba key list --tenant ten_…` and makes one with `columba key create --tenant ten_…`"
        ),
        ("forbidden", As::Operator | As::OnBehalf(_)) => format!(
            "the token came from {credential}; one that may do it: columba operator create NAME --role owner"
        ),
        ("forbidden", _) if path.starts_with("/v1/webhooks") || path.starts_with("/v1/deliveries") => {
            format!(
                "the key came from {credential}; a live key with the scope session: columba key create --tenant ten_… \
             --scope read,session"
            )
        }
        ("forbidden", _) => {
            format!(
                "the key came from {credential}; a key with other scopes: columba key create --tenant ten_… --scope …"
            )
        }
        ("tenant_suspended", _) => {
            "the operator resumes it: columba tenant resume ten_…; where an invoice is due, paying it does"
                .to_owned()
        }
        ("not_found", _) if path.contains("/sandbox/scan") => {
            "codes change: look at the one that is shown now with columba session pair".to_owned()
        }
        ("not_found", _) => {
            if let As::OnBehalf(_) = who {
                return Some("which tenants there are: columba tenant list".to_owned());
            }
            if path.contains("/plans/") {
                return Some("which codes there are: columba plan list".to_owned());
            }
            let part = path
                .split(['/', '?', '='])
                .rev()
                .find_map(|part| LISTS.iter().find(|(p, _)| part.starts_with(p)));
            format!("which there are: {}", part?.1)
        }
        ("session_not_ready", _) => format!("columba session pair {session}"),
        ("not_pairing", _) => format!("columba session start {session} --qr"),
        ("conflict", _) if path.ends_with("/plans") => "columba plan put changes one that exists".to_owned(),
        ("conflict", _) if path.contains("/plans/") => {
            "who has it: columba tenant list --all; another one: columba subscription change ten_… --plan CODE".to_owned()
        }
        ("conflict", _) if path.ends_with("/webhooks") => {
            "delete one that is not needed: columba webhook delete whk_…; more by another plan (webhooks_max)".to_owned()
        }
        ("conflict", _) if path.ends_with("/keys") => {
            "which live: columba key list --tenant ten_…; more by another plan (seats_max)".to_owned()
        }
        ("conflict", _) if path.ends_with("/test") || path.ends_with("/redeliver") => {
            let webhook = path.split('/').find(|part| part.starts_with("whk_")).unwrap_or("whk_…");
            format!("columba webhook enable {webhook}")
        }
        ("conflict", _) if path.contains("/keys/") => {
            "which keys there are, and which takes whose place: columba key list --tenant ten_… --json"
                .to_owned()
        }
        ("conflict", _) if path.contains("/operators") => "which there are: columba operator list".to_owned(),
        ("conflict", _) if path.contains("/messages/") => "only what still waits can be canceled".to_owned(),
        ("quota_exceeded", _) => {
            "a larger plan: the operator runs columba tenant change ten_… --plan CODE".to_owned()
        }
        ("queue_full" | "rate_limited" | "unavailable" | "idempotency_in_flight", _) => match retry_after {
            Some(seconds) => format!("try again in {seconds} s"),
            None => "try again in a moment".to_owned(),
        },
        ("method_not_allowed", _) => {
            format!("the server does not take {method} {path}: it may be older than this program")
        }
        _ => return None,
    })
}

/// A server that does not answer.
pub fn unreachable(url: &str, origin: &str, error: &reqwest::Error) -> Failure {
    let why = if error.is_timeout() { "no answer in time".to_owned() } else { innermost(error) };
    let detail = format!("the server at {url} does not answer: {why}");
    Failure::new(Exit::Unavailable, "unreachable", detail).next(format!(
        "the address came from {origin}: is the server running there? `columba serve` starts one; another address: \
         --url or COLUMBA_URL"
    ))
}

/// What the system said, without what every library adds around it.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_refusal_has_an_exit_code_and_most_have_a_next_step() {
        for (status, code, path, exit, next) in [
            (401, "unauthorized", "/v1/admin/tenants", Exit::Forbidden, "the token came from FILE"),
            (403, "forbidden", "/v1/sessions", Exit::Forbidden, "the key came from FILE"),
            (403, "tenant_suspended", "/v1/sessions", Exit::Forbidden, "columba tenant resume"),
            (
                404,
                "not_found",
                "/v1/sessions/ses_1/start",
                Exit::Absent,
                "which there are: columba session list",
            ),
            (404, "not_found", "/v1/messages/msg_1", Exit::Absent, "which there are: columba message list"),
            (
                404,
                "not_found",
                "/v1/admin/tenants/ten_1/keys",
                Exit::Absent,
                "which there are: columba tenant list",
            ),
            (
                404,
                "not_found",
                "/v1/admin/sessions?tenant=ten_1",
                Exit::Absent,
                "which there are: columba tenant list",
            ),
            (404, "not_found", "/v1/admin/plans/gold", Exit::Absent, "columba plan list"),
            (409, "session_not_ready", "/v1/sessions/ses_1/messages", Exit::No, "columba session pair ses_1"),
            (409, "not_pairing", "/v1/sessions/ses_1/qr", Exit::No, "columba session start ses_1 --qr"),
            (409, "conflict", "/v1/admin/plans", Exit::No, "columba plan put"),
            (
                403,
                "forbidden",
                "/v1/admin/tenants",
                Exit::Forbidden,
                "columba operator create NAME --role owner",
            ),
            (403, "forbidden", "/v1/webhooks", Exit::Forbidden, "a live key with the scope session"),
            (404, "not_found", "/v1/webhooks/whk_1/test", Exit::Absent, "columba webhook list"),
            (404, "not_found", "/v1/deliveries/dlv_1", Exit::Absent, "columba webhook deliveries whk_…"),
            (404, "not_found", "/v1/admin/operators/opr_1", Exit::Absent, "columba operator list"),
            (409, "conflict", "/v1/webhooks", Exit::No, "columba webhook delete"),
            (409, "conflict", "/v1/webhooks/whk_1/test", Exit::No, "columba webhook enable whk_1"),
            (409, "conflict", "/v1/admin/keys/key_1/rotate", Exit::No, "columba key list"),
            (409, "conflict", "/v1/admin/operators", Exit::No, "columba operator list"),
            (409, "idempotency_in_flight", "/v1/sessions", Exit::Later, "try again in 7 s"),
            (422, "invalid_request", "/v1/sessions", Exit::Data, ""),
            (400, "invalid_request", "/v1/sessions", Exit::Data, ""),
            (402, "quota_exceeded", "/v1/sessions/ses_1/messages", Exit::Later, "columba tenant change"),
            (429, "queue_full", "/v1/sessions/ses_1/messages", Exit::Later, "try again in 7 s"),
            (503, "unavailable", "/v1/sessions", Exit::Unavailable, "try again in 7 s"),
        ] {
            let who = if path.contains("/admin/") { As::Operator } else { As::Tenant };
            let asked =
                Asked { who, path, method: &Method::POST, credential: "FILE", retry_after: Some("7") };
            let failure = refused(&json!({"status": status, "code": code, "detail": "no"}), &asked);
            assert_eq!((failure.exit, failure.code.as_str()), (exit, code), "{path}");
            assert!(failure.next.unwrap_or_default().contains(next), "{code} {path}");
        }
    }

    #[test]
    fn nothing_a_server_says_can_move_the_cursor() {
        let asked =
            Asked { who: As::Tenant, path: "/", method: &Method::GET, credential: "", retry_after: None };
        let failure = refused(&json!({"status": 422, "code": "x", "detail": "a\u{1b}[2Jb"}), &asked);
        assert_eq!(failure.detail, "a\u{fffd}[2Jb");
    }
}
