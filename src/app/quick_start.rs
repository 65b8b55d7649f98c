//! The lines that take a newcomer from a running server to a message that was read.

use std::net::SocketAddr;
use std::path::Path;

/// Shell lines to be pasted into another terminal, each of which works as it stands.
pub fn lines(address: SocketAddr, token: &Path) -> String {
    let token = token.display();
    format!(
        r#"
The network is a sandbox: no phone, no real message. Paste this into another terminal, line by line:

  API=http://{address}/v1
  json() {{ sed -E 's/.*"'$1'":"([^"]*)".*/\1/'; }}
  # the operator makes a tenant and a key for it
  OP="Authorization: Bearer $(cat {token})"
  TENANT=$(curl -s $API/admin/tenants -H "$OP" -H 'content-type: application/json' -d '{{"name":"Acme","plan":"quickstart"}}' | json id)
  KEY=$(curl -s $API/admin/tenants/$TENANT/keys -H "$OP" -H 'content-type: application/json' -d '{{"name":"first"}}' | json key)
  # the tenant opens a session and pairs it: the sandbox plays the phone
  AUTH="Authorization: Bearer $KEY"
  SESSION=$(curl -s $API/sessions -H "$AUTH" -H 'content-type: application/json' -d '{{"label":"sales"}}' | json id)
  curl -s -X POST $API/sessions/$SESSION/start -H "$AUTH"; sleep 1
  CODE=$(curl -s $API/sessions/$SESSION/qr -H "$AUTH" | json code)
  curl -s $API/sandbox/scan -H "$AUTH" -H 'content-type: application/json' -d '{{"code":"'$CODE'"}}'; sleep 2
  # a message, and a second later its record: status "read"
  MESSAGE=$(curl -s $API/sessions/$SESSION/messages -H "$AUTH" -H 'content-type: application/json' -d '{{"to":"+15551230001","type":"text","text":{{"body":"hello"}}}}' | json id)
  sleep 1; curl -s $API/messages/$MESSAGE -H "$AUTH"

The operator's token is in {token}. Stop the server with Ctrl-C; what was accepted is kept.
"#
    )
}
