//! Reading and building stanzas.

use wacore_binary::builder::NodeBuilder;
use wacore_binary::node::NodeContent;
use wacore_binary::{Jid, Node, Server};

use crate::error::{Result, protocol};

/// The server's own name.
pub(crate) fn server() -> Jid {
    Jid::new("", Server::Pn)
}

/// An attribute as text.
pub(crate) fn attr(node: &Node, key: &str) -> Option<String> {
    node.attrs.get(key).map(|value| value.as_str().into_owned())
}

/// An attribute that must be there, as text of a bearable length.
pub(crate) fn required(node: &Node, key: &str) -> Result<String> {
    let value = attr(node, key).ok_or_else(|| protocol(format!("<{}> without {key}", node.tag)))?;
    if value.len() > 256 {
        return Err(protocol(format!("{key} of <{}> is longer than 256 bytes", node.tag)));
    }
    Ok(value)
}

/// An attribute that must name somebody.
pub(crate) fn jid(node: &Node, key: &str) -> Result<Jid> {
    let value = required(node, key)?;
    value.parse().map_err(|e| protocol(format!("{key} of <{}>: {e}", node.tag)))
}

/// The content as bytes; empty if it has none.
pub(crate) fn bytes(node: &Node) -> Vec<u8> {
    match &node.content {
        Some(NodeContent::Bytes(b)) => b.clone(),
        Some(NodeContent::String(s)) => s.as_bytes().to_vec(),
        _ => Vec::new(),
    }
}

/// The bytes of a child; empty if there is none.
pub(crate) fn child_bytes(node: &Node, tag: &str) -> Vec<u8> {
    node.get_optional_child(tag).map(bytes).unwrap_or_default()
}

/// The children; none if the content is something else.
pub(crate) fn children(node: &Node) -> &[Node] {
    node.children().unwrap_or_default()
}

/// A leaf with bytes.
pub(crate) fn leaf(tag: &'static str, bytes: impl Into<Vec<u8>>) -> Node {
    NodeBuilder::new(tag).bytes(bytes).build()
}

/// The answer to a request.
pub(crate) fn iq_result(id: &str, content: Vec<Node>) -> Node {
    let node = NodeBuilder::new("iq").attr("from", server()).attr("id", id).attr("type", "result");
    if content.is_empty() { node.build() } else { node.children(content).build() }
}

/// The refusal of a request.
pub(crate) fn iq_error(id: &str, code: u16, text: &str) -> Node {
    let error = NodeBuilder::new("error").attr("code", code.to_string()).attr("text", text).build();
    let node = NodeBuilder::new("iq").attr("from", server()).attr("id", id).attr("type", "error");
    node.children([error]).build()
}

/// An information broadcast with one child.
pub(crate) fn ib(child: Node) -> Node {
    NodeBuilder::new("ib").attr("from", server()).children([child]).build()
}

/// The ids of a receipt: its own and those of its list.
pub(crate) fn receipt_ids(node: &Node) -> Vec<String> {
    let mut ids: Vec<String> = attr(node, "id").into_iter().collect();
    if let Some(list) = node.get_optional_child("list") {
        ids.extend(children(list).iter().filter_map(|item| attr(item, "id")));
    }
    ids
}
