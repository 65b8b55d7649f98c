//! What an account may not do for a while, as clients ask for it (`xmlns="w:mex"`, JSON): the reach-out timelock and the
//! cap of new chats, both after the scripted failures in force.

use serde_json::{Value, json};
use wacore::iq::mex_operations::{fetch_new_chat_message_capping_info, fetch_reachout_timelock};
use wacore_binary::Node;

use crate::error::Result;
use crate::failures;
use crate::seat::Seat;
use crate::stanza::{attr, iq_error, iq_result, leaf};
use crate::world::{ConnId, Turn};

/// Answers a question about the account's standing; others are not known here.
pub(crate) fn on_iq(turn: &mut Turn<'_>, conn: ConnId, seat: Seat, id: &str, node: &Node) -> Result<()> {
    let query = node.get_optional_child("query").and_then(|query| attr(query, "query_id"));
    let data = match query.as_deref() {
        Some(fetch_reachout_timelock::DOC_ID) => timelock(turn, seat),
        Some(fetch_new_chat_message_capping_info::DOC_ID) => capping(turn, seat),
        _ => return turn.send(conn, iq_error(id, 404, "item-not-found")),
    };
    let answer = leaf("result", json!({ "data": data }).to_string());
    turn.send(conn, iq_result(id, vec![answer]))
}

fn timelock(turn: &Turn<'_>, seat: Seat) -> Value {
    let until = failures::nacked_until(turn.live, seat, 463, turn.now);
    json!({ "xwa2_fetch_account_reachout_timelock": {
        "is_active": until.is_some(),
        "time_enforcement_ends": until.unwrap_or(0).to_string(),
        "enforcement_type": "DEFAULT",
    }})
}

fn capping(turn: &Turn<'_>, seat: Seat) -> Value {
    let until = failures::nacked_until(turn.live, seat, 475, turn.now);
    json!({ "xwa2_message_capping_info": {
        "capping_status": if until.is_some() { "CAPPED" } else { "NONE" },
        "cycle_start_timestamp": turn.now / 1000,
        "cycle_end_timestamp": until.unwrap_or(0),
        "server_sent_timestamp": turn.now / 1000,
        "total_quota": "100",
        "used_quota": if until.is_some() { "100" } else { "0" },
    }})
}
